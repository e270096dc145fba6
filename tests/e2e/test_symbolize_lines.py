#!/usr/bin/env python3
"""test_symbolize_lines.py - `pprofc symbolize` gives the right lines.

Programs with known hot lines run under the library; what the profile says
after symbolizing is compared with what other tools say of the same addresses,
and with the comments in the source.
"""

import pathlib
import subprocess

import chains
from lib import (Directory, Profile, case, command, environment, expect, main,
                 pprof)
from symbolizing import PPROFC, TARGETS, compare, compiled, with_lines


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


@case
def lines_of_go_and_of_the_c_it_calls_are_in_one_profile():
    source = "lines_cgo.go"
    with Directory() as tmp:
        program = pathlib.Path(tmp) / "program"
        subprocess.run(
            [command("go", "golang-go"), "build", "-o", program,
             TARGETS / source], check=True, timeout=200,
            env=environment(False, {"GOCACHE": f"{tmp}/cache",
                                    "GO111MODULE": "off",
                                    "CGO_ENABLED": "1"}))
        # Go ends by the system call itself: run recovers the profile.
        subprocess.run(
            [PPROFC, "run", "--profiles=cpu", "--symbols=lines",
             f"--output={tmp}/", program], check=True, timeout=100,
            env=environment(False), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        after, = pathlib.Path(tmp).glob("program.*.cpu.pb.gz")
        profile = Profile(after)
        share = hot_share(profile, source)
        expect(share > 0.5, f"HOT lines have {share:.2f} of the time")
        names = {f.name for l in profile.locations.values() for f in l.frames}
        expect({"in_c", "main.inGo"} <= names, sorted(names)[:30])
        # eu-addr2line takes every address for the C code's: only that has
        # .debug_aranges.
        compare(profile, program, chains.addr2line, chains.llvm)


main()
