#!/usr/bin/env python3
"""test_symbolize.py - `pprofc symbolize`: the right lines, wherever they are.

Programs with known hot lines run under the library; what the profile says
after symbolizing is compared with what other tools say of the same addresses,
and with the comments in the source.
"""

import gzip
import os
import pathlib
import shutil
import subprocess

import chains
from making import Maker, message, number
from lib import (BUILD, ROOT, Directory, Profile, case, command, environment,
                 expect, expect_equal, main, note, pprof, profile_of, run)

PPROFC = BUILD / "pprofc"
TARGETS = ROOT / "tests" / "targets"


def tool(*argv):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(False), timeout=120, check=False)
    expect(done.returncode == 0, f"{argv[0]}: {done.stderr[-300:]}")
    return done.stdout


def symbolize(*argv, status=0):
    done = subprocess.run([str(PPROFC), "symbolize", *[str(a) for a in argv]],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment(False),
                          timeout=120, check=False)
    expect_equal(done.returncode, status, f"status ({done.stderr[-300:]})")
    return done.stderr.decode()


def compiled(directory, compiler, source, *flags):
    result = pathlib.Path(directory) / "program"
    tool(command(compiler[0], compiler[1]), *flags, "-o", result,
         TARGETS / source)
    return result


def names_only(program, directory, *arguments):
    """The CPU profile of a run, without lines."""
    result = run([program, *arguments], directory, env={
        "PPROFC_PROFILES": "cpu", "PPROFC_CPU_HZ": 1000,
        "PPROFC_SYMBOLS": "names"})
    expect_equal(result.status, 0, "status of the program")
    return profile_of(result, "cpu")


def with_lines(program, directory, *options):
    before = names_only(program, directory)
    after = pathlib.Path(directory) / "lines.pb.gz"
    symbolize("-o", after, *options, before)
    return before, after


def marked(source, word):
    lines = (TARGETS / source).read_text().splitlines()
    return [i for i, l in enumerate(lines, 1) if word in l.split()]


def hot_share(profile, source, column="cpu"):
    """Of all, what has a frame of its leaf in or beside the HOT line."""
    hot = {n + d for n in marked(source, "HOT") for d in (-1, 0)}
    i = profile.column(column)

    def is_hot(sample):
        return any(f.file.endswith("/" + source) and f.line in hot
                   for f in sample.stack[0].frames)

    there = sum(s.values[i] for s in profile.samples if is_hot(s))
    return there / profile.total(column)


def agrees(got, wanted):
    """The same chain; where the compiler names no line (line 0), tools print
    ?, 0 or the line before."""
    return len(got) == len(wanted) and all(
        g == w or (g[0] == w[0] or chains.UNKNOWN in (g, w))
        and 0 in (g[1], w[1]) for g, w in zip(got, wanted))


def explained(got, wanted):
    """What is known to go wrong elsewhere. eu-addr2line and binutils 2.40 find
    inlined functions only where .debug_aranges leads them to (not for Rust and
    clang); binutils names the outer function's file for some lines of inlined
    headers."""
    return (wanted == got[:len(wanted)]
            or [l for _, l in wanted] == [l for _, l in got])


def compare(profile, program, *oracles):
    """Every address of the program: one tool has to agree; where others do not,
    that is noted and has to be explained."""
    found = chains.ours(profile, program)
    expect(len(found) >= 5, f"only {len(found)} addresses in {program}")
    addresses = sorted(found)
    theirs = [a for a in (o(program, addresses) for o in oracles) if a]
    wrong = []
    for i, address in enumerate(addresses):
        got = found[address] or [chains.UNKNOWN]
        others = [answers[i] for answers in theirs]
        odd = [o for o in others if not agrees(got, o)]
        for wanted in odd:
            note(f"{address:#x}: {wanted}, here {got}")
        if odd == others or not all(explained(got, o) for o in odd):
            wrong.append(f"{address:#x}: {got}, elsewhere {others}")
    expect(not wrong, f"{len(wrong)} of {len(addresses)}: {wrong[:3]}")


COMPILERS = {
    "gcc": {"c": ("gcc", "gcc"), "cc": ("g++", "g++")},
    "clang": {"c": ("clang", "clang"), "cc": ("clang++", "clang")},
}


def lines_case(family, language, level):
    source = {"c": "lines.c", "cc": "lines_cxx.cc"}[language]

    def check():
        with Directory() as tmp:
            program = compiled(tmp, COMPILERS[family][language], source,
                               "-g", level)
            _, after = with_lines(program, tmp)
            profile = Profile(after)
            share = hot_share(profile, source)
            expect(share > 0.5, f"HOT lines have {share:.2f} of the time")
            compare(profile, program, chains.addr2line,
                    chains.eu_addr2line, chains.llvm)
            out, _ = pprof("-list", "innermost", after)
            expect("HOT" in out, f"-list: {out[-300:]}")
            out, _ = pprof("-lines", "-top", after)
            hot = marked(source, "HOT")[0]
            expect(f"{source}:{hot}" in out or f"{source}:{hot - 1}" in out,
                   out[:900])
            expect(all(f in profile.locations[1].mapping.flags
                       for f in ("[FN]", "[FL]", "[LN]", "[IN]")),
                   profile.locations[1].mapping.flags)
            pprof("-peek", "innermost", after)

    check.__name__ = (f"lines_of_{language}_with_{family}_at_"
                      f"{level.strip('-')}_are_those_of_other_tools")
    case(check)


for one in COMPILERS:
    for two in ("c", "cc"):
        for three in ("-O0", "-O2"):
            lines_case(one, two, three)


@case
def lines_of_rust_are_those_of_other_tools():
    with Directory() as tmp:
        program = compiled(tmp, ("rustc", "rustc"), "lines_rust.rs", "-g",
                           "-O")
        _, after = with_lines(program, tmp)
        profile = Profile(after)
        share = hot_share(profile, "lines_rust.rs")
        expect(share > 0.5, f"HOT lines have {share:.2f} of the time")
        compare(profile, program, chains.addr2line, chains.eu_addr2line,
                chains.llvm)
        names = {f.name for l in profile.locations.values() for f in l.frames}
        expect("lines_rust::shapes::outer" in names, sorted(names)[:20])


@case
def lines_of_fortran_have_the_names_of_the_source():
    with Directory() as tmp:
        program = compiled(tmp, ("gfortran", "gfortran"), "lines_fortran.f90",
                           "-g", "-O1", f"-J{tmp}")
        _, after = with_lines(program, tmp)
        profile = Profile(after)
        share = hot_share(profile, "lines_fortran.f90")
        expect(share > 0.4, f"HOT lines have {share:.2f} of the time")
        names = {f.name for l in profile.locations.values() for f in l.frames}
        expect("shapes::outer" in names, sorted(names))


# --- where the debug information is ------------------------------------------

class Built:
    """A C++ program with its names-only profile and the frames of all."""

    def __init__(self, tmp, *flags):
        self.tmp = tmp
        self.program = compiled(tmp, ("g++", "g++"), "lines_cxx.cc", "-g",
                                "-O2", *flags)
        self.before, after = with_lines(self.program, tmp)
        self.frames = self.read(after)

    @staticmethod
    def read(path):
        return {l.address: l.frames
                for l in Profile(path).locations.values()}

    def again(self, *options, status=0):
        """Frames and messages of another symbolizing."""
        after = self.tmp / "again.pb.gz"
        said = symbolize("-o", after, *options, self.before, status=status)
        return self.read(after), said

    def expect_same(self, *options):
        frames, said = self.again(*options)
        expect_equal(said, "", "messages")
        expect(frames == self.frames, f"lines differ with {options}")

    def build_id(self):
        return next(m.build_id for m in Profile(self.before).mappings.values()
                    if m.path == str(self.program))

    def strip(self, *link):
        """The program stripped; its debug file."""
        debug = self.tmp / "program.debug"
        tool("objcopy", "--only-keep-debug", self.program, debug)
        tool("objcopy", "--strip-all", *link, self.program)
        frames, _ = self.again()
        expect(frames != self.frames, "still has lines")
        return debug

    def keep(self, debug, directory):
        """As distributions do."""
        i = self.build_id()
        to = directory / ".build-id" / i[:2] / (i[2:] + ".debug")
        to.parent.mkdir(parents=True)
        shutil.move(debug, to)
        return to


@case
def debug_directories_give_the_same_lines():
    with Directory() as tmp:
        b = Built(tmp)
        debug = b.strip()
        flat = tmp / "flat"
        flat.mkdir()
        shutil.copy(debug, flat / "program.debug")
        b.expect_same("--debug-dir", flat)
        b.keep(debug, tmp / "store")
        b.expect_same("--debug-dir", tmp / "none", "--debug-dir",
                      tmp / "store")


@case
def debug_link_beside_the_program_is_followed():
    with Directory() as tmp:
        b = Built(tmp)
        debug = b.strip()
        tool("objcopy", f"--add-gnu-debuglink={debug}", b.program)
        b.expect_same()
        (tmp / ".debug").mkdir()
        shutil.move(debug, tmp / ".debug" / debug.name)
        b.expect_same()


@case
def sysroot_has_the_files_of_another_machine():
    with Directory() as tmp:
        b = Built(tmp)
        root = tmp / "root"
        there = root / str(b.program).lstrip("/")
        there.parent.mkdir(parents=True)
        shutil.move(b.program, there)
        frames, _ = b.again()
        expect(frames != b.frames, "lines without the file")
        frames, _ = b.again("--sysroot", root)
        expect(frames == b.frames, "lines differ")


@case
def debug_file_alone_is_enough():
    with Directory() as tmp:
        b = Built(tmp)
        b.keep(b.strip(), tmp / "store")
        b.program.unlink()
        b.expect_same("--debug-dir", tmp / "store")


@case
def compressed_sections_are_read():
    for kind in ("zlib-gnu", "zlib-gabi"):
        with Directory() as tmp:
            b = Built(tmp)
            tool("objcopy", f"--compress-debug-sections={kind}", b.program)
            b.expect_same()


@case
def split_dwarf_is_read():
    with Directory() as tmp:
        b = Built(tmp, "-gsplit-dwarf")
        expect(list(tmp.glob("*.dwo")), "no .dwo file")
        compare(Profile(tmp / "lines.pb.gz"), b.program, chains.llvm)
        expect(any(len(f) > 2 for f in b.frames.values()), "no inlines")


@case
def dwz_files_are_followed():
    with Directory() as tmp:
        b = Built(tmp)
        other = tmp / "other"
        shutil.copy(b.program, other)
        tool(command("dwz", "dwz"), "-m", tmp / "common.debug", "-M",
             tmp / "common.debug", b.program, other)
        expect((tmp / "common.debug").exists(), "dwz found nothing in common")
        b.expect_same()
        (tmp / "common.debug").unlink()
        _, said = b.again()
        expect("common.debug" in said, f"said {said!r}")


@case
def names_come_from_minidebuginfo():
    """A stripped program with .gnu_debugdata, of a profile without names."""
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g")
        mini = tmp / "mini"
        tool("objcopy", "-S", "--remove-section", ".comment",
             "--keep-symbol=outer", "--keep-symbol=compare", program, mini)
        tool(command("xz", "xz-utils"), mini)
        tool("objcopy", "--strip-all", program)
        tool("objcopy", "--add-section", f".gnu_debugdata={mini}.xz", program)
        result = run([program], tmp, env={"PPROFC_PROFILES": "cpu",
                                          "PPROFC_SYMBOLS": "none"})
        after = tmp / "after.pb.gz"
        symbolize("-o", after, profile_of(result, "cpu"))
        names = {f.name for l in Profile(after).locations.values()
                 for f in l.frames}
        expect("outer" in names, sorted(names))


@case
def other_builds_are_refused():
    with Directory() as tmp:
        b = Built(tmp)
        debug = b.strip()
        tool("g++", "-g", "-O1", "-o", b.program, TARGETS / "lines_cxx.cc")
        frames, said = b.again(status=1)
        expect("build id differs" in said, f"said {said!r}")
        expect(not any(f.line for l in frames.values() for f in l
                       if f.file.endswith(".cc")), "lines of another build")
        frames, said = b.again("--debug-dir", tmp, status=1)
        expect(debug.exists() and frames == b.frames,
               "its own debug file is no help")
        _, said = b.again("--quiet", status=1)
        expect_equal(said, "", "messages of --quiet")


@case
def lines_of_libc_come_from_its_debug_package():
    """qsort() of the C program, by Debian's libc6-dbg."""
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g")
        _, after = with_lines(program, tmp)
        places = {(f.name, os.path.basename(f.file)) for l in
                  Profile(after).locations.values() for f in l.frames
                  if "libc.so" in l.mapping.path and f.line}
        expect(("msort_with_tmp", "msort.c") in places
               or ("msort_with_tmp.part.0", "msort.c") in places,
               sorted(places))


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

        odd = shown(before) - shown(after) # which has inlined ones, too
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
def files_newer_than_the_profile_are_no_proof():
    """Without a build id the time decides."""
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g",
                           "-Wl,--build-id=none")
        before, after = with_lines(program, tmp)
        expect(any(f.line for l in Profile(after).locations.values()
                   for f in l.frames if f.file.endswith("lines.c")), "lines")
        os.utime(program)
        said = symbolize("-o", after, before, status=1)
        expect("changed since" in said, f"said {said!r}")


@case
def debug_link_without_build_id_is_checked_by_its_sum():
    with Directory() as tmp:
        b = Built(tmp, "-Wl,--build-id=none")
        stamp = b.program.stat().st_mtime
        debug = tmp / "program.debug"
        tool("objcopy", "--only-keep-debug", b.program, debug)
        tool("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}",
             b.program)
        os.utime(b.program, (stamp, stamp))
        b.expect_same()
        with open(debug, "ab") as f:
            f.write(b"x")
        frames, said = b.again(status=1)
        expect(frames != b.frames and "another build" in said, said)


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
