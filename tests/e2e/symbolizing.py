"""symbolizing.py - `pprofc symbolize` for the tests of it, on programs that are
built and profiled for each case."""

import pathlib
import shutil
import subprocess

import chains
from lib import (BUILD, ROOT, Profile, command, environment, expect,
                 expect_equal, note, profile_of, run)

PPROFC = BUILD / "pprofc"
TARGETS = ROOT / "tests" / "targets"


def tool(*argv):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(False), timeout=120, check=False)
    expect(done.returncode == 0, f"{argv[0]}: {done.stderr[-300:]}")
    return done.stdout


def symbolize(*argv, status=0, env=None):
    done = subprocess.run([str(PPROFC), "symbolize", *[str(a) for a in argv]],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment(False, env),
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

    def again(self, *options, status=0, env=None):
        """Frames and messages of another symbolizing."""
        after = self.tmp / "again.pb.gz"
        said = symbolize("-o", after, *options, self.before, status=status,
                         env=env)
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
