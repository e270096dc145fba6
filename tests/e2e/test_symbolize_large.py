#!/usr/bin/env python3
"""test_symbolize_large.py - `pprofc symbolize` of a profile with a million
locations: in bounded memory, and with a line for each that has one."""

import os
import pathlib
import resource
import subprocess

from lib import LONG, Directory, case, environment, expect, main, pprof
from making import Maker
from symbolizing import PPROFC, tool

LOCATIONS = 1000000 if LONG else 200000
PEAK_KIB = 400 << 10  # 220 MiB were seen for a million
FUNCTIONS = 1000
LINES = 1000  # of each, of one byte of code


def write_program(directory):
    """Functions f0, f1 ... of LINES nops."""
    source, program = directory / "many.s", directory / "many.so"
    source.write_text("".join(
        f"f{i}: .type f{i}, @function\n.rept {LINES}\n" "nop\n"
        f".endr\n.size f{i}, .-f{i}\n" for i in range(FUNCTIONS)))
    tool("gcc", "-g", "-shared", "-nostdlib", "-Wl,--build-id", "-o", program,
         source)
    return program


def symbol(program, name):
    for line in tool("nm", program).decode().splitlines():
        if line.endswith(f" t {name}"):
            return int(line.split()[0], 16)
    raise AssertionError(name)


def write_profile(directory, program):
    m = Maker()
    headers = tool("readelf", "-lW", program).decode()
    load, = (l.split() for l in headers.splitlines()
             if " LOAD " in l and " R E " in l)
    offset, address, size = (int(load[i], 16) for i in (1, 2, 4))
    notes = tool("readelf", "-n", program).decode()
    m.mapping(1, address, address + size, offset, str(program),
              notes.split("Build ID: ")[1].split()[0])
    first = symbol(program, "f0")
    for i in range(LOCATIONS):
        m.location(i + 1, first + i, 1)
    for i in range(1, LOCATIONS, 10):
        m.sample(range(i, i + 10))
    m.write(directory / "before.pb.gz")
    return directory / "before.pb.gz"


def symbolized(before, after):
    """Its peak of memory in KiB, that of its workers included."""
    pid = os.fork()
    if pid == 0:
        done = subprocess.run(
            [PPROFC, "symbolize", "--quiet", "-o", after, before],
            env=environment(False), timeout=200, check=False)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        (after.parent / "peak").write_text(f"{done.returncode} {peak}")
        os._exit(0)
    os.waitpid(pid, 0)
    status, peak = (after.parent / "peak").read_text().split()
    expect(status == "0", f"status {status}")
    return int(peak)


@case
def many_locations_take_bounded_memory():
    with Directory() as d:
        directory = pathlib.Path(d)
        program = write_program(directory)
        before = write_profile(directory, program)
        after = directory / "after.pb.gz"
        peak = symbolized(before, after)
        expect(peak < PEAK_KIB, f"{peak} KiB")
        out, _ = pprof("-raw", after)
        text = out.split("\nLocations\n")[1].split("\nMappings\n")[0]
        rows = text.splitlines()
        expect(len(rows) == LOCATIONS, f"{len(rows)} locations")
        right = sum(f" f{i // LINES} " in row and "/many.s:" in row
                    for i, row in enumerate(rows))
        expect(right == LOCATIONS, f"{right} are right: {rows[:3]}")


main()
