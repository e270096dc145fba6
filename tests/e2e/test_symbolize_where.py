#!/usr/bin/env python3
"""test_symbolize_where.py - `pprofc symbolize` finds debug information wherever
it is, and takes none of another build."""

import os
import shutil

import chains
from lib import (Directory, Profile, case, command, expect, expect_equal, main,
                 profile_of, run)
from symbolizing import (TARGETS, Built, compare, compiled, symbolize, tool,
                         with_lines)


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


main()
