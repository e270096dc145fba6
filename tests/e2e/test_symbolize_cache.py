#!/usr/bin/env python3
"""What one profile has learnt is not read again for the next.

`pprofc symbolize --cache`, several files at once, and what the library gives
its helper. The profiles are made by hand, with addresses all over our own
library, which has names for half of them as the library itself would.
"""

import gzip
import os
import pathlib
import re
import shutil
import subprocess

import lib
from making import Maker, number, varint
from lib import BUILD, Directory, case, expect, expect_equal, main

HELPER = BUILD / "pprofc-symbolize"
BASE = 0x7f1200000000
READ = 4711  # the field that says all of a mapping was looked up


def output(*argv, status=0):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=lib.environment(False), timeout=120, check=False)
    expect_equal(done.returncode, status, f"status ({done.stderr[-300:]})")
    return done.stdout.decode(), done.stderr.decode()


def symbolize(*argv):
    return output(HELPER, *argv)[1]


def raw(path):
    return output("go", "tool", "pprof", "-raw", path)[0]


class Program:
    """A copy of the library that is there to be read."""

    def __init__(self, directory, make=shutil.copy):
        self.path = pathlib.Path(directory) / "program.so"
        make(lib.LIBRARY, self.path)
        headers = output("readelf", "-lW", self.path)[0]
        code = re.search(r"LOAD +(\w+) (\w+) \w+ (\w+) \w+ R E", headers)
        self.offset, self.address, self.size = (
            int(x, 16) for x in code.groups())
        notes = output("readelf", "-n", self.path)[0]
        self.build_id = re.search(r"Build ID: (\w+)", notes).group(1)
        symbols = output("nm", "--defined-only", "-S", self.path)[0]
        self.functions = sorted(
            (int(s[0], 16), int(s[1], 16), s[3])
            for s in map(str.split, symbols.splitlines())
            if len(s) == 4 and s[2] in "tT")

    def places(self, step):
        """Addresses in functions, and the name of every other function."""
        seen = set()
        for i, (start, size, name) in enumerate(self.functions):
            if start in seen:
                continue
            seen.add(start)
            for at in range(start, start + size, step):
                yield at, name if i % 2 else None

    def profile(self, path, step=512, base=BASE, build_id=None, file=None):
        m = Maker()
        m.mapping(1, base + self.address, base + self.address + self.size,
                  self.offset, str(file or self.path),
                  self.build_id if build_id is None else build_id)
        names, done = {}, set()
        for at, name in self.places(step):
            if at in done:
                continue
            done.add(at)
            lines = []
            if name:
                names[name] = names.get(name) or m.function(name)
                lines = [(names[name], 0)]
            m.location(len(done), base + at, 1, lines)
        # What is no function of anybody's.
        m.location(len(done) + 1, base + self.address + self.size - 1, 1)
        m.sample(range(1, len(done) + 2))
        m.write(path)
        return path


def much_debug_information(_, path):
    """Few functions of many lines."""
    source = path.with_suffix(".s")
    source.write_text("".join(
        f"f{i}: .type f{i}, @function\n" + "nop\n" * 10000
        + f".size f{i}, .-f{i}\n" for i in range(50)))
    output(lib.command("gcc", "gcc"), "-g", "-shared", "-nostdlib",
           "-Wl,--build-id", "-o", path, source)


class Case:
    def __init__(self, make=shutil.copy):
        self.make = make

    def __enter__(self):
        self.directory = Directory()
        self.tmp = pathlib.Path(self.directory.__enter__())
        self.program = Program(self.tmp, self.make)
        return self

    def __exit__(self, *unused):
        self.directory.__exit__(*unused)

    def profile(self, name, **how):
        return self.program.profile(self.tmp / name, **how)

    def done(self, name, profile, *options):
        path = self.tmp / name
        self.said = symbolize("-o", path, *options, profile)
        return path


def opened(profiles, *options):
    """How often the helper opens each file."""
    trace = subprocess.run(
        [lib.command("strace", "strace"), "-f", "-e", "trace=openat", HELPER,
         *options, *profiles], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120,
        env=lib.environment(False), check=False)
    expect_equal(trace.returncode, 0, "status")
    return re.findall(r'"([^"]*)"[^"]*\) = \d', trace.stderr.decode())


def instructions(*argv):
    done = subprocess.run(
        [lib.command("valgrind", "valgrind"), "--tool=callgrind",
         "--callgrind-out-file=/dev/null", *argv], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300,
        env=lib.environment(False), check=False)
    expect_equal(done.returncode, 0, "status")
    return int(re.search(rb"Collected : (\d+)", done.stderr).group(1))


@case
def equal_with_and_without():
    with Case() as c:
        few = c.profile("few", step=2048)
        many = c.profile("many", base=BASE * 2)
        first, plain = c.done("first", few), c.done("plain", many)
        expect(raw(plain).count(".c:") > 500, "few lines")
        for name, source in (("a", first), ("b", plain)):
            got = c.done(name, many, f"--cache={source}")
            expect_equal(c.said, "", "what it says")
            expect_equal(raw(got), raw(plain), f"with {name}")
            again = c.done("again", many, f"--cache={got}")
            expect_equal(raw(again), raw(plain), "with a cache that had one")


@case
def what_is_known_is_not_opened():
    with Case() as c:
        profile = c.profile("profile")
        first = c.done("first", profile)
        c.program.path.rename(c.tmp / "elsewhere")
        c.done("second", profile, f"--cache={first}")
        expect_equal(raw(c.tmp / "second"), raw(first), "without the file")
        (c.tmp / "elsewhere").rename(c.program.path)
        out = ["-o", c.tmp / "third"]
        expect(str(c.program.path) in opened([profile], *out), "not traced")
        files = opened([profile], *out, f"--cache={first}")
        expect(str(first) in files, "the cache is not read")
        expect(str(c.program.path) not in files, "the program is opened")


@case
def several_files_read_it_once():
    with Case() as c:
        profile = c.profile("1")
        once = opened([profile], "-o", c.tmp / "plain")
        files = [profile, c.profile("2", step=2048),
                 c.profile("3", base=BASE * 3)]
        wanted = [raw(c.done("plain", f)) for f in files]
        more = opened(files)
        expect_equal(more.count(str(c.program.path)),
                     once.count(str(c.program.path)), "times it is opened")
        expect_equal([raw(f) for f in files], wanted, "profiles")


@case
def costs_a_fraction():
    with Case(much_debug_information) as c:
        profile = c.profile("profile", step=1000)
        first = c.done("first", profile)
        expect_equal(raw(c.done("again", profile, f"--cache={first}")),
                     raw(first), "profile")
        argv = [HELPER, "-o", c.tmp / "second", profile]
        plain = instructions(*argv)
        cached = instructions(*argv, f"--cache={first}")
        lib.note(f"{plain} instructions, with cache {cached}")
        expect(cached < plain / 5, f"{cached} of {plain} instructions")


def forged(path, out):
    """A cache of untrue lines, to see whether it is used."""
    data = gzip.decompress(path.read_bytes())
    expect(b"/core/" in data or b"core/" in data, "no file names")
    out.write_bytes(gzip.compress(data.replace(b"core/", b"LIES/")))
    return out


@case
def only_the_same_build_and_rules():
    with Case() as c:
        profile = c.profile("profile")
        lies = forged(c.done("first", profile), c.tmp / "lies")
        got = raw(c.done("got", profile, f"--cache={lies}"))
        expect("LIES/" in got, "this test does not see what is used")
        full = raw(c.done("full", profile, f"--cache={lies}",
                          "--demangle=full"))
        expect("LIES/" not in full, "used with another --demangle")
        expect("can be used" in c.said, f"it says {c.said!r}")
        rebased = c.done("rebased", profile, f"--cache={lies}", "--rebase")
        expect("LIES/" not in raw(rebased), "used with --rebase")
        # Another build of the same name.
        other = c.profile("other", build_id="")
        expect("LIES/" not in raw(c.done("o", other, f"--cache={lies}")),
               "used without a build id")
        wrong = c.profile("wrong", build_id="ab" * 20)
        path = c.tmp / "w"
        err = output(HELPER, "-o", path, f"--cache={lies}", wrong, status=1)[1]
        expect("LIES/" not in raw(path), "used for another build id")
        expect("build id" in err, f"it says {err!r}")
        # What had no build id is not to be a cache either.
        none = c.done("none", other)
        c.done("x", profile, f"--cache={none}")
        expect("can be used" in c.said, f"it says {c.said!r}")


@case
def another_symbol_is_looked_up():
    with Case() as c:
        profile = c.profile("profile")
        first = c.done("first", profile)
        data = gzip.decompress(profile.read_bytes())
        renamed = c.tmp / "renamed"
        names = [n for _, _, n in c.program.functions
                 if len(n) > 8 and varint(len(n)) + n.encode() in data]
        name = names[0].encode()
        renamed.write_bytes(gzip.compress(
            data.replace(varint(len(name)) + name,
                         varint(len(name)) + b"Z" * len(name))))
        plain = raw(c.done("plain", renamed))
        expect("Z" * len(name) in plain, "the name has gone")
        expect_equal(raw(c.done("cached", renamed, f"--cache={first}")), plain,
                     "profile with another symbol")


@case
def incomplete_is_no_cache():
    with Case() as c:
        profile = c.profile("profile")
        bare = c.tmp / "bare"
        whole = c.tmp / "whole"
        shutil.copy(c.program.path, whole)
        output("strip", "-g", "-o", bare, whole)
        os.replace(bare, c.program.path)
        poor = c.done("poor", profile)
        os.replace(whole, c.program.path)
        rich = c.done("rich", profile, f"--cache={poor}")
        expect("can be used" in c.said, f"it says {c.said!r}")
        expect(raw(rich).count(".c:") > 500, "lines are missing")


@case
def foreign_lines_are_not_ours():
    with Case() as c:
        p = c.program
        start = p.functions[len(p.functions) // 2][0]
        m = Maker()
        m.mapping(1, BASE + p.address, BASE + p.address + p.size, p.offset,
                  str(p.path), p.build_id)
        m.location(1, BASE + start, 1, [(m.function("x", file="LIES/"), 7)])
        m.location(2, BASE + start + 1, 1)
        m.sample([1, 2])
        m.write(c.tmp / "foreign")
        foreign = c.done("foreign.lines", c.tmp / "foreign")
        expect("LIES/" in raw(foreign), "lines it had have gone")
        profile = c.profile("profile")
        got = c.done("got", profile, f"--cache={foreign}")
        expect("can be used" in c.said, f"it says {c.said!r}")
        expect("LIES/" not in raw(got), "foreign lines are taken")


@case
def damaged_is_ignored():
    with Case() as c:
        profile = c.profile("profile")
        first = c.done("first", profile)
        wanted, good = raw(first), first.read_bytes()
        for name, data in (("empty", b""), ("cut", good[:len(good) // 2]),
                           ("text", b"no profile"), ("plain", None)):
            path = c.tmp / name
            if data is not None:
                path.write_bytes(data)
            got = c.done("got", profile, f"--cache={path}")
            expect(str(path) in c.said, f"{name}: it says {c.said!r}")
            expect_equal(raw(got), wanted, name)
            c.done("got", profile, "--quiet", f"--cache={path}")
            expect_equal(c.said, "", f"{name}, quiet")
        got = c.done("got", profile, f"--cache={path}", f"--cache={first}")
        expect_equal(raw(got), wanted, "after one that is not there")


@case
def field_of_the_flag():
    """What a style has made is not kept as that of another."""
    with Case() as c:
        profile = c.profile("profile")
        first = c.done("first", profile)

        def flags(path):
            data = gzip.decompress(path.read_bytes())
            return data.count(number(READ, 0)[:-1])

        expect_equal((flags(profile), flags(first)), (0, 1), "flags")
        again = c.done("again", first)
        expect_equal(flags(again), 1, "done twice")
        other = c.done("other", first, "--demangle=full")
        expect_equal(flags(other), 0, "done with another style")


if __name__ == "__main__":
    main()
