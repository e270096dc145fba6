#!/usr/bin/env python3
"""What calls of the malloc family cost in instructions, exactly.

tests/targets/alloc_pairs.c and new_pairs.cc do nothing else. Instructions of
the whole process are counted by callgrind for two numbers of rounds; the
difference over the difference is the cost of one round, and what start and end
cost drops out. glibc's own part varies by a fraction of an instruction (the
loop's first malloc), so the bars have half of one as tolerance.
"""

import re
import subprocess

import lib
from lib import case, expect

FEW, MANY = 1000, 21000
BAR = 11  # malloc takes five of them, free six: preload/hook_page_x86_64.h
OFF = 2   # a call, when the heap is off


def instructions(directory, argv, preload, env):
    done = subprocess.run(
        [lib.command("valgrind", "valgrind"), "--tool=callgrind",
         "--callgrind-out-file=/dev/null", *argv],
        cwd=directory, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
        env=lib.environment(preload, env, directory), check=False)
    m = re.search(rb"Collected : (\d+)", done.stderr)
    expect(done.returncode == 0 and m,
           f"callgrind: status {done.returncode}, {done.stderr[-300:]}")
    return int(m[1])


def pair(preload, pairs=(FEW, MANY), program="alloc_pairs", more=(), **env):
    with lib.Directory() as d:
        few, many = (
            instructions(d, [str(lib.target(program)), str(n), *more],
                         preload, env) for n in pairs)
    return (many - few) / (pairs[1] - pairs[0])


def check(what, bar, runs=3, program="alloc_pairs", more=(), **env):
    """A sample in a run (chance 1e-3 at a mean of 1 GiB) would show as several
    instructions a round, and so would a tick of a CPU timer: the least of some
    runs counts."""
    without = pair(False, program=program, more=more)
    got = min(pair(True, program=program, more=more, **env)
              for _ in range(runs))
    lib.note(f"{' '.join((program, *more))}, {what}: {got:.2f} instructions "
             f"a round, {without:.2f} without the library")
    expect(got <= without + bar + 0.5,
           f"{what}: a round takes {got:.2f} instructions, {without:.2f} "
           f"without, allowed are {bar} more")


@case
def pair_between_samples():
    check("fast path", BAR, PPROFC_PROFILES="heap", PPROFC_HEAP_RATE="1024m")


@case
def pair_with_nothing_on():
    check("none", 2 * OFF, 1, PPROFC_PROFILES="none")


@case
def pair_with_cpu_alone():
    check("cpu", 2 * OFF, PPROFC_PROFILES="cpu", PPROFC_CPU_HZ=1)


@case
def pair_with_the_heap_rate_zero():
    check("rate 0", 2 * OFF, 1, PPROFC_PROFILES="heap", PPROFC_HEAP_RATE=0)


@case
def every_function_with_nothing_on():
    """20 calls; none of them costs more than the two that a pair is allowed, or
    the sum would show it: 21 is what it is (reallocarray calls realloc)."""
    check("none", 21, 1, more=("all",), PPROFC_PROFILES="none")


@case
def operators_with_nothing_on():
    """Two calls of the program and two of libstdc++."""
    check("none", 2 * OFF, 1, "new_pairs", PPROFC_PROFILES="none")


@case
def pair_with_samples_at_the_default_rate():
    """Not a bar: one pair in 10700 is a sample. The session is made by one of
    the first 100000."""
    got = min(pair(True, (100000, 500000), PPROFC_PROFILES="heap")
              for _ in range(2))  # the block may lie beside a sampled one
    lib.note(f"malloc+free of 48 bytes, default rate, samples included: "
             f"{got:.2f} instructions")
    expect(got < 200, f"samples included, a pair takes {got:.2f} instructions")


# Locks are recorded by default; samples of the others would be counted, too.
DEFAULT = {"PPROFC_CPU_HZ": 1, "PPROFC_HEAP_RATE": "1024m"}
# What a round of each costs more: five where a lock's word is looked at before
# it is taken, one where it is not, nothing where no hook is.
LOCK_BARS = {"mutex": 5, "try": 1, "timed": 5, "recursive": 5, "rdlock": 5,
             "wrlock": 5, "signal": 0, "broadcast": 0, "sem": 5, "once": 1,
             "c11": 5}


@case
def lock_and_unlock_of_a_free_mutex():
    """design.md section 6: 69, where 64 are without the library."""
    check("default", 5, 3, "lock_pairs", **DEFAULT)


@case
def every_lock_that_is_free():
    if lib.LONG:
        for what, bar in LOCK_BARS.items():
            check("default", bar, 3, "lock_pairs", more=(what,), **DEFAULT)
    check("default", sum(LOCK_BARS.values()), 3, "lock_pairs", more=("all",),
          **DEFAULT)


@case
def lock_and_unlock_with_nothing_on():
    check("none", OFF, 1, "lock_pairs", PPROFC_PROFILES="none")


if __name__ == "__main__":
    lib.main()
