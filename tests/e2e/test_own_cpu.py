#!/usr/bin/env python3
"""The comment that says what the library has cost is a true number.

Measured is what the process uses more when every allocation is recorded than
when none is; on a busy machine the least of some runs.
"""

import resource

import lib
from lib import case, expect

RUNS = 7
NAME = "own CPU time, estimated (ns)"


def used_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(pairs, rate, kinds="heap"):
    """CPU seconds of the program, and those that the library admits."""
    with lib.Directory() as d:
        before = used_s()
        result = lib.run([lib.target("alloc_pairs"), pairs], d,
                         env={"PPROFC_PROFILES": kinds, "PPROFC_CPU_HZ": 250,
                              "PPROFC_HEAP_RATE": rate})
        cpu_s = used_s() - before
        expect(result.status == 0, f"status {result.status}")
        told = [lib.Profile(p).statistics().get(NAME)
                for p in result.profiles]
    return cpu_s, told[0] / 1e9 if told else None


@case
def own_time_of_a_million_pairs():
    with_all = [run(1000000, 1) for _ in range(RUNS)]
    with_none = [run(1000000, 1 << 30) for _ in range(RUNS)]
    cost_s = min(with_all)[0] - min(with_none)[0]
    told_s = min(told for _, told in with_all)
    lib.note(f"told {told_s * 1e3:.1f} ms, measured {cost_s * 1e3:.1f} ms")
    expect(0.4 <= told_s / cost_s <= 2.5, f"told {told_s} s, took {cost_s} s")


@case
def own_time_of_cpu_samples():
    cpu_s, own_s = run(100000000, 0, kinds="cpu")
    lib.note(f"{own_s * 1e6:.0f} us of {cpu_s:.2f} s")
    expect(0 < own_s < 0.01 * cpu_s, f"{own_s} s of {cpu_s} s")


if __name__ == "__main__":
    lib.main()
