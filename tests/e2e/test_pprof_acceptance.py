#!/usr/bin/env python3
"""What the unmodified `go tool pprof` makes of every kind of profile.

Items (a) to (f) of the minimum acceptance set, for a C program linked by bfd,
the same linked by lld (whose segments lie at other offsets than the usual),
the same stripped, and a C++ program.
"""

import collections
import gzip
import re
import subprocess

import lib
from lib import case, expect, expect_equal

KINDS = {
    "cpu": (["samples/count", "cpu/nanoseconds"],
            "cpu nanoseconds", 10000000, "cpu"),
    "heap": (["alloc_objects/count", "alloc_space/bytes",
              "inuse_objects/count", "inuse_space/bytes"],
             "space bytes", 1, "inuse_space"),
    "allocs": (["alloc_objects/count", "alloc_space/bytes",
                "inuse_objects/count", "inuse_space/bytes"],
               "space bytes", 1, "alloc_space"),
    "heap_peak": (["inuse_objects/count", "inuse_space/bytes"],
                  "space bytes", 1, "inuse_space"),
}

# What must be seen, per kind: (in C, in C++ as shown, in C++ as stored).
KNOWN = {
    "cpu": ("hot_leaf", "hot::leaf", "_ZN3hot4leafIjEET_S1_"),
    "heap": ("keep_block", "hot::keeper::keep", "_ZN3hot6keeper4keepEi"),
    "allocs": ("peak_blocks", "hot::keeper::keep", "_ZN3hot6keeper4keepEi"),
    "heap_peak": ("peak_blocks", "hot::keeper::keep",
                  "_ZN3hot6keeper4keepEi"),
}

Target = collections.namedtuple("Target", "source name flags strip cpp")
C = Target("targets/hot_paths.c", "hot_paths", ["-rdynamic"], False, False)
LLD = C._replace(name="hot_lld", flags=["-rdynamic", "-fuse-ld=lld"])
NO_PIE = C._replace(name="hot_nopie", flags=["-rdynamic", "-no-pie"])
STRIPPED = C._replace(name="hot_stripped", strip=True)
CPP = Target("targets/hot_names.cc", "hot_names", [], False, True)
TARGETS = (C, LLD, NO_PIE, STRIPPED, CPP)

REPORTS = ("-top", "-tree", "-traces", "-svg", "-proto")


def build(target, d):
    program = lib.build(d, target.source, target.name, *target.flags)
    if target.strip:
        subprocess.run(["strip", str(program)], check=True)
    return program


def profiles_of(program, d, ms=300):
    """{kind: path} of one run; without CPU time no profile of it."""
    kinds = [k for k in KINDS if ms or k != "cpu"]
    result = lib.run([program, ms], d, env={
        "PPROFC_PROFILES": ",".join(kinds), "PPROFC_HEAP_RATE": 1})
    expect_equal(result.status, 0, "status")
    return {k: lib.profile_of(result, k) for k in kinds}


def expect_columns(path, kind):
    """(a)"""
    out, _ = lib.pprof("-raw", path)
    columns, period_type, period, _ = KINDS[kind]
    expect(f"PeriodType: {period_type}\nPeriod: {period}\n" in out,
           f"{kind}: period: {out[:200]}")
    line = re.search(r"^Samples:\n(.*)$", out, re.M)[1].rstrip()
    expect_equal(line.replace("[dflt]", "").split(" "), columns,
                 f"{kind}: columns")


def messages(text, name):
    """The top-level messages of that name in protoc's text, as lists of
    (path, value)."""
    found = []
    for block in re.findall(rf"^{name} {{\n(.*?)^}}$", text, re.M | re.S):
        fields, path = [], []
        for line in block.splitlines():
            line = line.strip()
            if line.endswith("{"):
                path.append(line[:-2])
            elif line == "}":
                path.pop()
            else:
                key, value = line.split(": ", 1)
                fields.append((".".join(path + [key]), value))
        found.append(fields)
    return found


def expect_sound(path, kind):
    """(b), on the file itself: the tool merges and drops before it shows."""
    text = lib.decode(path)
    mappings = {}
    for m in messages(text, "mapping"):
        m = dict(m)
        expect(m["id"] not in mappings, f"{kind}: mapping {m['id']} twice")
        mappings[m["id"]] = (int(m["memory_start"]), int(m["memory_limit"]))
    locations = {}
    for fields in messages(text, "location"):
        at = dict(fields)
        expect(at["id"] not in locations, f"{kind}: location twice")
        expect(at.get("mapping_id") in mappings,
               f"{kind}: location {at} has no mapping")
        start, limit = mappings[at["mapping_id"]]
        expect(start <= int(at["address"]) < limit,
               f"{kind}: {at} is outside of its mapping")
        locations[at["id"]] = at
    keys, used = set(), set()
    for fields in messages(text, "sample"):
        values = [int(v) for k, v in fields if k == "value"]
        stack = tuple(v for k, v in fields if k == "location_id")
        labels = tuple(f for f in fields if f[0].startswith("label."))
        expect_equal(len(values), len(KINDS[kind][0]), f"{kind}: values")
        expect(any(values), f"{kind}: a row of zeros")
        expect(all(v >= 0 for v in values), f"{kind}: {values}")
        expect(stack, f"{kind}: a sample without a stack")
        expect(all(i in locations for i in stack), f"{kind}: {stack}")
        expect((stack, labels) not in keys, f"{kind}: a row twice: {fields}")
        keys.add((stack, labels))
        used.update(stack)
    expect(keys, f"{kind}: no samples")
    expect_equal(used, set(locations), f"{kind}: locations used")
    first = next(iter(mappings))
    expect({a["mapping_id"] for a in locations.values()} | {first}
           == set(mappings), f"{kind}: a mapping without locations")
    strings = re.findall(r'^string_table: "(.*)"$', text, re.M)
    name = strings[int(dict(messages(text, "mapping")[0])["filename"])]
    expect_equal(name.rpartition("/")[2], path.name.split(".")[0],
                 f"{kind}: first mapping")
    expect_equal(strings[0], "", f"{kind}: first string")
    expect_equal(len(set(strings)), len(strings), f"{kind}: strings")
    functions = {dict(f)["id"] for f in messages(text, "function")}
    named = {a["line.function_id"] for a in locations.values()
             if "line.function_id" in a}
    expect_equal(functions, named, f"{kind}: functions used")


def expect_reports(path, kind, target, reports, *arguments):
    """(c) with the arguments given."""
    known = KNOWN[kind][(2 if "-symbolize=none" in arguments else 1)
                        if target.cpp else 0]
    for report in reports:
        with lib.Directory() as d:
            out = d / "out"
            _, err = lib.pprof(report, "-nodecount=1000000", "-trim=false",
                               f"-output={out}", *arguments, path)
            data = out.read_bytes()
            if report == "-proto":
                data = b"\n".join(
                    re.findall(rb"[ -~]+", gzip.decompress(data)))
            expect(known.encode() in data.replace(b"&#39;", b"'") or
                   (report == "-svg" and known.split("::")[-1].encode()
                    in data),
                   f"{kind} {report} {arguments}: no {known}; {err[-200:]}")
            expect("malformed" not in err and "Local symbolization" not in err,
                   f"{kind} {report} {arguments}: {err[-300:]}")


def expect_default(path, kind):
    out, _ = lib.pprof("-top", path)
    expect(f"\nType: {KINDS[kind][3]}\n" in out,
           f"{kind}: shows {re.findall('^Type: .*$', out, re.M)}")
    expect(f"File: {path.name.split('.')[0]}\n" in out,
           f"{kind}: {out[:100]}")


def check_target(target, reports):
    with lib.Directory() as d:
        program = build(target, d)
        paths = profiles_of(program, d)
        for kind, path in paths.items():
            expect_columns(path, kind)
            expect_sound(path, kind)
            expect_default(path, kind)
            expect_reports(path, kind, target, reports)
            expect_reports(path, kind, target, reports, "-symbolize=none")
        program.rename(d / "moved")
        for kind, path in paths.items():
            expect_reports(path, kind, target, reports)


@case
def c_program_is_read_in_every_report():
    check_target(C, REPORTS)


@case
def program_linked_by_lld_is_read():
    check_target(LLD, REPORTS)


@case
def program_at_a_fixed_address_is_read():
    check_target(NO_PIE, REPORTS)


@case
def stripped_program_is_read_by_its_exports():
    check_target(STRIPPED, REPORTS)


@case
def cpp_program_is_read_demangled_and_not():
    check_target(CPP, REPORTS)


@case
def heap_values_are_those_of_the_program():
    with lib.Directory() as d:
        paths = profiles_of(build(C, d), d, 0)
        heap = lib.Profile(paths["heap"])
        expect_equal(heap.flat("inuse_objects")["keep_block"], 40, "kept")
        expect_equal(heap.flat("inuse_space")["keep_block"], 40000, "kept")
        expect_equal(heap.flat("alloc_objects")["drop_blocks"], 100, "made")
        expect_equal(heap.flat("alloc_space")["drop_blocks"], 6400, "made")
        expect_equal(heap.flat("inuse_space")["drop_blocks"], 0, "dropped")
        peak = lib.Profile(paths["heap_peak"])
        expect_equal(peak.flat("inuse_space")["peak_blocks"], 5000000, "peak")
        expect_equal(peak.flat("inuse_space")["keep_block"], 40000, "peak")
        label = [s.labels for s in heap.samples
                 if lib.name_of(s.stack[0]) == "keep_block"]
        expect_equal(label, [{"bytes": "1024"}], "label of 1000 bytes")


@case
def runs_at_different_addresses_merge():
    """(e)"""
    for target in (C, LLD, CPP):
        with lib.Directory() as d, lib.Directory() as d2:
            program = build(target, d)
            one = profiles_of(program, d, 0)["heap"]
            two = profiles_of(program, d2, 0)["heap"]
            a, b = lib.Profile(one), lib.Profile(two)
            start = [min(m.start for m in p.mappings.values()
                         if m.path == str(program)) for p in (a, b)]
            expect(start[0] != start[1], f"no ASLR here: {start}")
            out, _ = lib.pprof("-symbolize=none", "-raw", one, two)
            mappings = out.split("\nMappings\n")[1].splitlines()
            mine = [m for m in mappings if str(program) in m]
            expect_equal(len(mine), 1, f"mappings of the program in {mine}")
            known = KNOWN["heap"][2 if target.cpp else 0]
            rows = [len(re.findall(rf"^ *\d+: 0x\S+ M=\d+ {known} ", text,
                                   re.M)) for text in (a.text, out)]
            expect_equal(rows[1], rows[0], "locations of the same code")
            samples = [len(re.findall(r"^ *\d+ +\d+ +\d+ +\d+: ", text, re.M))
                       for text in (a.text, out)]
            expect_equal(samples[1], samples[0], "rows of equal runs")
            expect(rows[0] > 0 and samples[0] > 0, "nothing compared")


@case
def difference_with_itself_is_nothing():
    """(f)"""
    with lib.Directory() as d:
        for path in profiles_of(build(C, d), d, 100).values():
            out, _ = lib.pprof("-top", "-base", path, path)
            expect(re.search(r"^Showing nodes accounting for 0B?, .* of "
                             r"0B? total$", out, re.M),
                   f"{path.name}: {out[-300:]}")


VECTOR = """
0a04080110020a04080310041217080108021003108087a70e1a04080510061a
040807182a1a15080110802018804020802028083801400148015001220d0801
1001189020220408011007220d0802100118a0202204080210092a0a08011009
1809200a28052a0a0802100b180b200a280848808090bbbad6adf00d508094eb
dc035a04080310046080ade2043200320773616d706c65733205636f756e7432
03637075320b6e616e6f7365636f6e6473320674687265616432027731320374
696432062f62696e2f6132046c6561663203612e6332046d61696e
"""


@case
def our_schema_reads_the_reference_profile():
    with lib.Directory() as d:
        path = d / "vector"
        path.write_bytes(gzip.compress(bytes.fromhex(VECTOR)))
        out, _ = lib.pprof("-raw", path)
        text = lib.decode(path)
        expect("3   30000000: 1 2" in out, out)
        (sample,) = messages(text, "sample")
        expect_equal(sample, [
            ("location_id", "1"), ("location_id", "2"), ("value", "3"),
            ("value", "30000000"), ("label.key", "5"), ("label.str", "6"),
            ("label.key", "7"), ("label.num", "42")], "sample")
        expect_equal(dict(messages(text, "mapping")[0])["has_inline_frames"],
                     "true", "flag")
        expect_equal(dict(messages(text, "location")[1]), {
            "id": "2", "mapping_id": "1", "address": "4128",
            "line.function_id": "2", "line.line": "9"}, "location")
        expect_equal(dict(messages(text, "function")[0])["start_line"], "5",
                     "function")
        for word in ("time_nanos: 1", "duration_nanos: 1000000000",
                     "period: 10000000", 'string_table: "main"'):
            expect(word in text, f"no {word} in {text}")


if __name__ == "__main__":
    lib.main()
