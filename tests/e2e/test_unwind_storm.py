#!/usr/bin/env python3
"""Unwinding under everything that made other unwinders hang or crash.

tests/hostile/storm_unwind.cc throws, loads and unloads libraries, allocates,
prints, starts threads, jumps and forks in eight threads. It must end well and
in time, and few stacks may be cut short: the single-step test finds 0.9 % of
the positions in a throw not right, and throwing takes less than half of the
time, so 0.5 % are allowed for. Once with the loader's own lookup, once with
our table of modules, which is what systems before glibc 2.35 use.
"""

import collections
import math
import os

import lib
from lib import case, expect, expect_equal

# Another length: PPROFC_STORM_SECONDS=600 python3 tests/e2e/test_unwind_storm.py
SECONDS = int(os.environ.get("PPROFC_STORM_SECONDS", 60 if lib.LONG else 4))
SHORT_SHARE = 0.005
FALSE_ALARM = 1e-6


def largest_count(mean):
    """What a Poisson count of this mean exceeds with P <= FALSE_ALARM."""
    n, term = 0, math.exp(-mean)
    below = term
    while 1 - below > FALSE_ALARM:
        n += 1
        term *= mean / n
        below += term
    return n


def storm(env=None):
    with lib.Directory() as d:
        result = lib.run(
            [lib.BUILD / "hostile" / "storm_unwind", SECONDS], d,
            env=dict({"PPROFC_CPU_HZ": 250, "PPROFC_HEAP_RATE": 1,
                      "PPROFC_MAX_DEPTH": 512}, **(env or {})),
            timeout=SECONDS + 60)
        out = result.out.decode()
        lib.note(" ".join(out.split("\n")))
        expect_equal(result.status, 0, f"exit status ({out!r})")
        parent = [p for p in lib.profiles(d) if len(p.name.split(".")) == 5]
        for kind in ("cpu", "heap"):
            check_short_stacks(parent, kind)


def check_short_stacks(paths, kind):
    """The parent's profile of this kind is the one with most samples."""
    column = {"cpu": "samples", "heap": "alloc_objects"}[kind]
    loaded = [lib.Profile(p) for p in paths if f".{kind}." in p.name]
    expect(loaded, f"no {kind} profile")
    profile = max(loaded, key=lambda p: p.total(column))
    total = profile.total(column)
    index = profile.column(column)
    short = collections.Counter()
    for sample in profile.samples:
        if lib.name_of(sample.stack[-1]) == "[truncated]":
            short[lib.name_of(sample.stack[0])] += sample.values[index]
    lib.note(f"{kind}: {short.total()} of {total} stacks short: {short}")
    expect(total >= 20 * SECONDS, f"only {total} {kind} samples")
    # An expiry that was delivered late counts for several: at most 2 on
    # average. Every allocation is a heap sample: too many for chance to matter,
    # so the share itself. (With our own table a walk into a library that is
    # just being closed or opened elsewhere may end early: code_gate.h.)
    allowed = 2 * largest_count(SHORT_SHARE * min(total, 50000))
    if kind == "heap":
        allowed = SHORT_SHARE * total
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
