#!/usr/bin/env python3
"""Unwinding under everything that made other unwinders hang or crash.

tests/hostile/storm_unwind.cc throws, loads and unloads libraries, allocates,
prints, starts threads, jumps and forks in eight threads, and contends for
locks in five more. It must end well and in time, and few stacks may be cut short: the single-step test finds 0.9 % of
the positions in a throw not right, and throwing takes less than half of the
time, so 0.5 % are allowed for, and what chance adds to that. Once with the loader's own lookup, once with
our table of modules, which is what systems before glibc 2.35 use.
"""

import collections
import math
import os
import re

import lib
from lib import case, expect, expect_equal

# Another length: PPROFC_STORM_SECONDS=600 python3 tests/e2e/test_unwind_storm.py
SECONDS = int(os.environ.get("PPROFC_STORM_SECONDS", 60 if lib.LONG else 4))
SHORT_SHARE = 0.005
FALSE_ALARM = 1e-6
COLUMNS = {"cpu": "samples", "heap": "alloc_objects", "mutex": "contentions",
           "block": "contentions"}
WEIGHT = 4  # periods in one late expiry


def most_short(total, weight):
    """What the short ones of `total` exceed with P <= FALSE_ALARM if each is
    short with P <= SHORT_SHARE, independently.

    Samples weigh more than one where an expiry comes late: at most WEIGHT, and
    `weight` on average when each unit of weight is asked. So with L =
    ln(1 / FALSE_ALARM) a sum of mean m is above m + t with P <= exp(-L),

        t = W L / 3 + sqrt((W L / 3)^2 + 2 weight m L)

    by Bernstein's inequality."""
    mean = SHORT_SHARE * total
    log = math.log(1 / FALSE_ALARM)
    third = WEIGHT * log / 3
    return mean + third + math.sqrt(third ** 2 + 2 * weight * mean * log)


def storm(env=None):
    with lib.Directory() as d:
        result = lib.run(
            [lib.BUILD / "hostile" / "storm_unwind", SECONDS], d,
            env=dict({"PPROFC_CPU_HZ": 250, "PPROFC_HEAP_RATE": 1,
                      "PPROFC_PROFILES": "cpu,heap,mutex,block",
                      "PPROFC_BLOCK": "all", "PPROFC_BLOCK_RATE": 1,
                      "PPROFC_LOCK_EVENTS": 10000000,
                      "PPROFC_MAX_DEPTH": 512}, **(env or {})),
            timeout=SECONDS + 60)
        out = result.out.decode()
        lib.note(" ".join(out.split("\n")))
        expect_equal(result.status, 0, f"exit status ({out!r})")
        parent = [p for p in lib.profiles(d) if len(p.name.split(".")) == 5]
        for kind in COLUMNS:
            check_short_stacks(parent, kind)


def counts(path, column, *more):
    """(total, Counter of leaves) as `go tool pprof -top` shows them: of ten
    minutes there are more stacks than -raw could be read for."""
    out, _ = lib.pprof("-symbolize=none", "-top", "-nodefraction=0",
                       "-edgefraction=0", "-nodecount=1000000",
                       f"-sample_index={column}", *more, path, timeout=600)
    total = re.search(r"% of (\d+) total", out)
    lib.expect(total, f"no total in {out[:300]!r}")
    return int(total[1]), collections.Counter(
        {m[2]: int(m[1]) for m in re.finditer(
            r"^ +([1-9]\d*) +\S+ +\S+ +\d+ +\S+ +(.*)$", out, re.M)})


def check_short_stacks(paths, kind):
    """The parent's profile of this kind is the one with most samples. It is one
    of the largest files; of ten minutes there are those of 60000 children."""
    column = COLUMNS[kind]
    found = sorted((p for p in paths if f".{kind}." in p.name),
                   key=lambda p: p.stat().st_size)
    expect(found, f"no {kind} profile")
    total, path = max((counts(p, column)[0], p) for p in found[-5:])
    short = counts(path, column, r"-focus=^\[truncated\]$")[1]
    lib.note(f"{kind}: {short.total()} of {total} stacks short: {short}")
    expect(total >= 20 * SECONDS, f"only {total} {kind} samples")
    # Every allocation is a heap sample, and they are not independent (a library
    # that is just being closed): so many that it does not matter.
    # (With our own table a walk into a library that is just being closed or
    # opened elsewhere may end early: code_gate.h.)
    allowed = SHORT_SHARE * total
    if kind in ("cpu", "mutex"):
        allowed = most_short(total, 2)
    expect(short.total() <= allowed,
           f"{short.total()} of {total} {kind} stacks are short: {short}")


@case
def storm_with_the_loaders_lookup():
    storm()


@case
def storm_with_our_own_module_table():
    storm({"PPROFC_TEST_OWN_MODULES": 1})


if __name__ == "__main__":
    lib.main()
