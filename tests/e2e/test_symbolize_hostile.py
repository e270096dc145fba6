#!/usr/bin/env python3
"""test_symbolize_hostile.py - an object whose debug information is damaged on
purpose costs `pprofc symbolize` its own lines, and those of no other."""

import os
import random
import resource
import subprocess

import chains
from lib import (Directory, Profile, case, environment, expect, expect_equal,
                 main, note)
from making import Maker, message, number
from symbolizing import PPROFC, TARGETS, tool

# Where the reader opens what has this mark, it does what bad input has made
# it do.
MARK = "ends-in-"
FAULTS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
static volatile unsigned zero;
static int deep(int n)
{
	volatile char room[1 << 16];
	room[n & 1] = 1;
	return deep(n + 1) + room[0];
}
Dwarf *dwarf_begin_elf(Elf *elf, Dwarf_Cmd cmd, Elf_Scn *group)
{
	Dwarf *(*real)(Elf *, Dwarf_Cmd, Elf_Scn *) =
		dlsym(RTLD_NEXT, "dwarf_begin_elf");
	size_t len;
	const char *all = elf_rawfile(elf, &len);
	const char *mark = all ? memmem(all, len, "ends-in-", 8) : NULL;
	if (mark && mark[8] == 'S')
		raise(SIGSEGV);
	if (mark && mark[8] == 'A')
		abort();
	if (mark && mark[8] == 'O')
		deep(0);
	if (mark && mark[8] == 'L')
		while (!zero)
			;
	if (mark && mark[8] == 'X')
		exit(1);
	return real(elf, cmd, group);
}
"""


class Objects:
    """Shared objects of the same functions, and a profile of their code."""

    def __init__(self, tmp):
        self.tmp = tmp
        self.found = {}
        self.maker = Maker()

    def add(self, name, mark=""):
        path = self.tmp / f"{name}.so"
        extra = self.tmp / "mark.c"
        extra.write_text(f'const char mark[] = "{mark}";\n')
        tool("gcc", "-g", "-O2", "-fPIC", "-shared", "-o", path, extra,
             TARGETS / "lines.c")
        number = len(self.found) + 1
        base = 0x7f0000000000 + (number << 24)
        vaddr, offset = chains.code_segment(path)
        self.maker.mapping(number, base + vaddr, base + vaddr + 0x2000,
                           offset, str(path))
        outer = int(next(l.split()[0] for l in tool("nm", path).decode()
                         .splitlines() if l.endswith(" outer")), 16)
        self.maker.location(number, base + outer, number)
        self.found[name] = base + outer
        return path

    def symbolize(self, preload="", cpu_s=None):
        """Names of the objects with lines, comments, what was said."""
        path = self.tmp / "made.pb"
        path.write_bytes(self.bytes)

        def limit():
            if cpu_s:
                resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 30))

        done = subprocess.run(
            [str(PPROFC) + "-symbolize", str(path)], preexec_fn=limit,
            env={**environment(False), "LD_PRELOAD": str(preload)},
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=100,
            check=False)
        said = done.stderr.decode()
        expect(done.returncode in (0, 1), f"status {done.returncode}: {said}")
        profile = Profile(path)
        have = {l.address for l in profile.locations.values()
                if any(f.line for f in l.frames)}
        return ({n for n, a in self.found.items() if a in have},
                profile.comments, said, done.returncode)

    def finish(self):
        self.maker.sample(range(1, len(self.found) + 1))
        self.bytes = self.maker.bytes()


@case
def fault_of_the_reader_costs_one_object():
    faults = {"S": "crashed with signal 11", "A": "crashed with signal 6",
              "O": "crashed with signal 11", "L": "took more than",
              "X": "took too much memory"}
    with Directory() as tmp:
        source, shim = tmp / "faults.c", tmp / "faults.so"
        source.write_text(FAULTS)
        tool("gcc", "-shared", "-fPIC", "-O0", "-o", shim, source, "-ldw",
             "-lelf")
        o = Objects(tmp)
        o.add("before")
        bad = {o.add(f"bad{kind}", MARK + kind): reason
               for kind, reason in faults.items()}
        o.add("behind")
        o.finish()
        have, comments, said, status = o.symbolize(shim, cpu_s=3)
        expect_equal(have, {"before", "behind"}, f"lines ({said})")
        expect_equal(status, 1, "status")
        for path, reason in bad.items():
            for text in (said, "\n".join(comments)):
                lines = [l for l in text.splitlines() if f"{path} " in
                         l.replace(":", " ")]
                expect(len(lines) == 1 and reason in lines[0], text)
        o.bytes = (tmp / "made.pb").read_bytes()
        _, again, _, _ = o.symbolize(shim, cpu_s=3)
        expect_equal(again, comments, "comments of the second time")
        o.bytes = (tmp / "made.pb").read_bytes()
        have, _, said, status = o.symbolize()
        expect_equal((have, status), (set(o.found), 0),
                     f"without faults ({said})")


def section(path, name):
    """Offset and size in the file."""
    for line in tool("readelf", "-SW", path).decode().splitlines():
        fields = line.partition("]")[2].split()
        if fields and fields[0] == name:
            return int(fields[3], 16), int(fields[4], 16)
    raise AssertionError(f"{path} has no {name}")


def damage(data, where, rng):
    """A few bytes of a section: random, or numbers at the edge."""
    offset, size = where
    for _ in range(rng.choice([1, 3, 20])):
        at = offset + rng.randrange(size)
        value = rng.choice([bytes([rng.randrange(256)]), b"\xff" * 4, b"\0" * 4,
                            b"\xff\xff\xff\x7f", b"\x80" * 9])
        data[at:at + len(value)] = value


@case
def damaged_sections_cost_one_object():
    rng = random.Random(11)
    lost = 0
    with Directory() as tmp:
        o = Objects(tmp)
        o.add("before")
        bad = o.add("bad")
        o.add("behind")
        o.finish()
        have, _, said, _ = o.symbolize()
        expect_equal(have, set(o.found), f"all have lines ({said})")
        whole = bad.read_bytes()
        where = [section(bad, f".debug_{n}") for n in
                 ("line", "info", "abbrev", "rnglists", "str_offsets", "str")
                 if f".debug_{n} ".encode() in tool("readelf", "-SW", bad)]
        for _ in range(40):
            data = bytearray(whole)
            damage(data, rng.choice(where), rng)
            new = tmp / "new"
            new.write_bytes(data[:len(whole)])
            os.replace(new, bad)
            stamp = 1e9
            os.utime(bad, (stamp, stamp))
            have, _, said, _ = o.symbolize()
            expect({"before", "behind"} <= have, f"lines of {have} ({said})")
            lost += "bad" not in have
    note(f"{lost} of 40 lost its own lines")
    expect(lost, "nothing was damaged")


@case
def equal_strings_and_functions_are_no_trap():
    """Of each so many that to compare all with all would take minutes."""
    with Directory() as tmp:
        o = Objects(tmp)
        o.add("one")
        o.finish()
        equal = message(5, number(1, 1) + number(2, 1) + number(3, 1))
        many = b"".join(equal.replace(b"\x08\x01", number(1, i), 1)
                        .replace(equal[1:2], bytes([len(equal) - 4 +
                                                    len(number(1, i))]), 1)
                        for i in range(1, 200001))
        o.bytes += many + message(6, "the same") * 200000
        have, _, said, _ = o.symbolize(cpu_s=10)
        expect_equal(have, {"one"}, f"lines ({said})")


main()
