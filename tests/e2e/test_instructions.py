#!/usr/bin/env python3
"""What a pair of malloc(48) and free costs in instructions, exactly.

tests/targets/alloc_pairs.c does nothing else. Instructions of the whole
process are counted by callgrind for two numbers of pairs; the difference over
the difference is the cost of one pair, and what start and end cost drops out.
glibc's own part varies by a fraction of an instruction (the loop's first
malloc), so the bar has half of one as tolerance.
"""

import re
import subprocess

import lib
from lib import case, expect

FEW, MANY = 1000, 21000
BAR = 12  # malloc takes five of them, free seven: preload/heap.c


def instructions(directory, pairs, preload, env):
    done = subprocess.run(
        [lib.command("valgrind", "valgrind"), "--tool=callgrind",
         "--callgrind-out-file=/dev/null", str(lib.target("alloc_pairs")),
         str(pairs)], cwd=directory, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
        env=lib.environment(preload, env, directory), check=False)
    m = re.search(rb"Collected : (\d+)", done.stderr)
    expect(done.returncode == 0 and m,
           f"callgrind: status {done.returncode}, {done.stderr[-300:]}")
    return int(m[1])


def pair(preload, pairs=(FEW, MANY), **env):
    with lib.Directory() as d:
        few, many = (instructions(d, n, preload, env) for n in pairs)
    return (many - few) / (pairs[1] - pairs[0])


def check(what, **env):
    """A sample in a run (chance 1e-3 at a mean of 1 GiB) would show as several
    instructions a pair: the least of three runs counts."""
    without = pair(False)
    got = min(pair(True, **env) for _ in range(3))
    lib.note(f"malloc+free of 48 bytes, {what}: {got:.2f} instructions, "
             f"{without:.2f} without the library")
    expect(got <= without + BAR + 0.5,
           f"{what}: a pair takes {got:.2f} instructions, {without:.2f} "
           f"without, allowed are {BAR} more")


@case
def pair_between_samples():
    check("fast path", PPROFC_PROFILES="heap", PPROFC_HEAP_RATE="1024m")


@case
def pair_with_heap_off():
    check("heap off", PPROFC_PROFILES="none")


@case
def pair_with_samples_at_the_default_rate():
    """Not a bar: one pair in 10700 is a sample. The session is made by one of
    the first 100000."""
    got = pair(True, (100000, 500000), PPROFC_PROFILES="heap")
    lib.note(f"malloc+free of 48 bytes, default rate, samples included: "
             f"{got:.2f} instructions")
    expect(got < 200, f"samples included, a pair takes {got:.2f} instructions")


if __name__ == "__main__":
    lib.main()
