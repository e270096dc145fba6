#!/usr/bin/env python3
"""test_symbolize.py - `pprofc symbolize` changes nothing but what it is for:
profiles of ours and of others, files that are none, options."""

import gzip
import os
import pathlib
import re
import subprocess

import chains
from lib import (BUILD, ROOT, Directory, Profile, case, expect, expect_equal,
                 main, pprof, run)
from making import Maker, message, number
from symbolizing import compiled, names_only, symbolize, tool, with_lines


# --- the rest of the profile -------------------------------------------------

def without_lines(path):
    """-raw without what symbolizing is for."""
    p = Profile(path)
    head, samples = p.text.split("\nSamples:\n")
    samples = samples.split("\nLocations\n")[0]
    places = [(l.id, l.address, l.mapping.id if l.mapping else 0)
              for l in p.locations.values()]
    return head, samples, places, [m[:6] for m in p.mappings.values()]


@case
def everything_else_stays_as_it_was():
    with Directory() as tmp:
        program = compiled(tmp, ("g++", "g++"), "lines_cxx.cc", "-g", "-O2")
        result = run([program], tmp, env={"PPROFC_HEAP_RATE": 1,
                                          "PPROFC_TID": "yes"})
        for before in result.profiles:
            before_raw = without_lines(before)
            mode = before.stat().st_mode
            symbolize(before)
            expect_equal(without_lines(before), before_raw, "the rest")
            expect_equal(before.stat().st_mode, mode, "mode")
            first = before.read_bytes()
            symbolize(before)
            expect_equal(gzip.decompress(before.read_bytes()),
                         gzip.decompress(first), "the second time")
        expect_equal(sorted(p.name for p in result.profiles),
                     sorted(os.listdir(tmp / "profiles")), "files")


@case
def names_are_those_the_stock_tool_shows():
    """`simple` names what the tool makes of mangled ones; so rows of profiles
    with and without lines are the same."""
    with Directory() as tmp:
        program = compiled(tmp, ("g++", "g++"), "lines_cxx.cc", "-g", "-O0")
        before, after = with_lines(program, tmp)

        def shown(path):
            out, _ = pprof("-top", "-nodecount=100000", path)
            return {l.split("%  ")[-1].removesuffix(" (inline)")
                    for l in out.splitlines() if "%  " in l}

        # The compiler's copies of a function have its name in the lines.
        copied = r"(\.(constprop|isra|part)\.\d+|\.cold)+$"
        odd = {re.sub(copied, "", n) for n in shown(before)} - shown(after)
        # The latter has inlined ones, too.
        expect(not odd, sorted(odd)[:10])
        symbolize("-o", tmp / "full.pb.gz", "--demangle=full", before)
        out, _ = pprof("-top", tmp / "full.pb.gz")
        expect("shapes::Mixer<unsigned long>::innermost(unsigned long)" in out,
               out[-500:])
        symbolize("-o", tmp / "none.pb.gz", "--demangle=none", before)
        names = {f.name for l in Profile(tmp / "none.pb.gz").locations.values()
                 for f in l.frames}
        expect("_ZN6shapes6Circle4stepEm" in names, sorted(names)[:10])


@case
def rebased_profiles_can_be_disassembled():
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g")
        _, after = with_lines(program, tmp, "--rebase")
        out, _ = pprof("-disasm", "outer", after)
        expect("ROUTINE" in out and "lines.c:" in out, out[-300:])
        web = tmp / "web"
        pprof("-weblist", "outer", f"-output={web}", after)
        expect("IMUL" in web.read_text() or "SHR" in web.read_text(),
               "no instructions in -weblist")


# --- bad input ---------------------------------------------------------------

@case
def what_is_no_profile_is_named_and_left_alone():
    with Directory() as tmp:
        whole = names_only(BUILD / "targets" / "lines", tmp).read_bytes()
        plain = gzip.decompress(whole)
        bad = {
            "empty": (b"", "is empty"),
            "text": (b"heap profile: 1: 2 [3: 4]\n", "no pprof profile"),
            "gzip_cut": (whole[:len(whole) // 2], "ends too early"),
            "gzip_bad": (whole[:20] + b"\xff" * 40 + whole[60:], "damaged"),
            "plain_cut": (plain[:-7], "no pprof profile"),
            "elf": (pathlib.Path("/bin/true").read_bytes(), "no pprof"),
        }
        for name, (data, reason) in bad.items():
            path = tmp / name
            path.write_bytes(data)
            said = symbolize(path, status=1)
            expect(str(path) in said and reason in said, f"said {said!r}")
            expect(path.read_bytes() == data, f"{name} was changed")
            symbolize("--quiet", path, status=1)
        said = symbolize(tmp / "none", tmp, status=1)
        expect("No such file" in said and "not a file" in said, said)
        for i in range(0, len(plain), max(1, len(plain) // 300)):
            path = tmp / "cut"
            path.write_bytes(plain[:i])
            done = subprocess.run([str(BUILD / "pprofc-symbolize"), path],
                                  stderr=subprocess.PIPE, check=False)
            expect(done.returncode in (0, 1), f"status {done.returncode}")


# --- profiles of others ------------------------------------------------------

@case
def other_tools_profiles_keep_what_they_say():
    """Two frames in a location, lines, unknown fields, names for people; not
    compressed, page-rounded mapping, no build id."""
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g")
        vaddr, offset = chains.code_segment(program)
        outer = int(next(l.split()[0] for l in tool("nm", program).decode()
                         .splitlines() if l.endswith(" outer")), 16)
        base = 0x555555000000
        m = Maker()
        m.mapping(7, base + (vaddr & ~4095), base + vaddr + 0x2000,
                  offset & ~4095, str(program))
        m.mapping(9, 0x1000, 0x2000, 0, "[vdso]", flags=(7,))
        two = m.function("kept_inner", file="k.c"), m.function("kept_outer")
        m.location(3, base + outer, 7, [(two[0], 5), (two[1], 6)])
        m.location(1 << 40, base + outer + 8, 7, extra=number(77, 5))
        m.location(5, base + outer + 16, 7,
                   [(m.function("For People", "outer"), 0)])
        m.location(6, 0x1010, 9, [(m.function("vdso_name"), 0)])
        m.location(8, base + outer + 0x100000, 7)
        m.sample([3, 1 << 40, 5, 6, 8], 4, extra=message(99, "unknown"))
        path = tmp / "foreign.pb"
        path.write_bytes(m.bytes(extra=message(98, "top")))
        symbolize(path)
        data = path.read_bytes()
        expect(data[:2] != b"\x1f\x8b", "compressed now")
        for part in (number(77, 5), message(99, "unknown"),
                     message(98, "top")):
            expect(part in data, f"{part} is lost")
        found = Profile(path).locations
        names = {i: [(f.name, f.line) for f in l.frames]
                 for i, l in found.items()}
        # The tool numbers locations anew, in this order.
        expect_equal(names[1], [("kept_inner", 5), ("kept_outer", 6)], "two")
        expect(names[2] and names[2][-1][0] == "outer" and names[2][-1][1],
               names[2])
        expect_equal(names[3][-1][0], "For People", "a name for people")
        expect(names[3][-1][1] > 0, names[3])
        expect_equal(names[4], [("vdso_name", 0)], "vdso")
        expect_equal(names[5], [], "outside of the file")


@case
def a_pipe_is_written_to_and_a_link_followed():
    saved = ROOT / "tests/fuzz/corpus/profile/name-that-expands"
    with Directory() as scratch:
        out, link = scratch / "out", scratch / "link"
        os.mkfifo(scratch / "pipe")
        reader = os.open(scratch / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        out.write_bytes(b"old")
        link.symlink_to(out)
        symbolize(saved, "-o", scratch / "pipe")
        symbolize(saved, "-o", link)
        sent = os.read(reader, 1 << 16)
        os.close(reader)
        expect(link.is_symlink(), "the link was replaced")
        expect(sent and sent == out.read_bytes(), "another profile")
        expect_equal(len(list(scratch.iterdir())), 3, "files")


@case
def options_are_checked():
    said = symbolize("--no-such-option", "x", status=125)
    expect("no-such-option" in said, said)
    for argv in ([], ["-o", "x", "y", "z"], ["--demangle=much", "x"],
                 ["--pid=0", "x"], ["--debuginfod-timeout=-1", "x"]):
        expect(symbolize(*argv, status=125), f"nothing said to {argv}")
    expect_equal(symbolize("--quiet", "--nothing", status=125), "", "said")
    expect_equal(symbolize("--help"), "", "--help on stderr")


main()
