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


def pair(preload, **env):
    with lib.Directory() as d:
        counts = [instructions(d, n, preload, env) for n in (FEW, MANY)]
    return (counts[1] - counts[0]) / (MANY - FEW)


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
def pair_with_everything_at_default_rates():
    """Not a bar: samples (one in 10700 pairs) included."""
    lib.note(f"malloc+free of 48 bytes, default rate, samples included: "
             f"{pair(True, PPROFC_PROFILES='heap'):.2f} instructions")


if __name__ == "__main__":
    lib.main()
