#!/usr/bin/env python3
"""Threads: seen or unseen, long or short, their CPU time is accounted for.

tests/targets/threads.c prints its getrusage last. The phases of the threads'
timers are spread evenly over the period, so a total is off by a few periods at
most, whatever the number of threads: PERIODS, beside 2 % of the truth.
"""


import collections
import math

import lib
from lib import case, expect, expect_equal

PERIODS = 4
WAYS = {"by_pthread", "by_prctl", "by_syscall", "by_another", "by_file"}


def measure(what, hz=100, **env):
    """Run; returns (rusage in ns, Profile, stdout without the rusage)."""
    with lib.Directory() as d:
        ours = lib.run([lib.target("threads"), what], d,
                       env={"PPROFC_PROFILES": "cpu", "PPROFC_CPU_HZ": hz,
                            **env})
        expect_equal((ours.status, ours.err), (0, b""), "status, stderr")
        out, _, rusage = ours.out.rpartition(b"rusage ")
        return int(rusage), lib.Profile(lib.profile_of(ours, "cpu")), out


def expect_total(rusage, profile, hz=100, found=0):
    """`found` threads are met by scans in the middle of their lives: their
    counts are independent and each is off by less than a period, so (Hoeffding)
    by more than sqrt(found ln(2 / 1e-6) / 2) together in one case of 1e6."""
    got, period = profile.total("cpu"), 1e9 / hz
    lib.note(f"{got / 1e9:.3f} s of {rusage / 1e9:.3f} s "
             f"({100 * got / rusage:.2f} %)")
    periods = PERIODS + math.sqrt(found * math.log(2e6) / 2)
    expect(abs(got - rusage) <= 0.02 * rusage + periods * period,
           f"{got / 1e9} s in the profile, {rusage / 1e9} s used")


def by_thread(profile):
    found = {}
    column = profile.column("cpu")
    for sample in profile.samples:
        name = sample.labels.get("thread")
        found[name] = found.get(name, 0) + sample.values[column]
    return found


@case
def main_leaves_and_nothing_loses_its_name():
    """The process is a zombie in /proc by its own id, and alive by others."""
    rusage, profile, _ = measure("main_leaves", hz=250)
    expect_total(rusage, profile, hz=250)
    expect(profile.path.name.startswith("threads."), f"{profile.path.name}")
    for mapping in profile.mappings.values():
        expect(mapping.path, f"a mapping without a path: {mapping}")
    clock = [l for l in profile.locations.values()
             if l.mapping and l.mapping.path == "[vdso]"]
    expect(clock, f"nothing in the vdso: {profile.flat('cpu')}")
    for location in clock:
        expect("clock_gettime" in lib.name_of(location),
               f"in the vdso: {lib.name_of(location)}")


@case
def c11_threads():
    rusage, profile, out = measure("c11")
    expect_equal(out, b"sum 20\n", "output")
    expect_total(rusage, profile)
    # Under its own name, or charged to it at the end: no frame of ours.
    cum = profile.cum("cpu")
    expect(cum["c11_worker"] >= 380e6, f"c11_worker has {cum['c11_worker']}")
    expect(not [n for n in cum if "trampoline" in n], f"names {list(cum)}")


@case
def names_are_labels():
    rusage, profile, _ = measure("names")
    expect_total(rusage, profile)
    found = by_thread(profile)
    for name in ("alpha", "beta", "gamma-15-chars!"):
        ns = found.get(name, 0)
        expect(80e6 <= ns <= 120e6, f"{name} has {ns} ns; all: {found}")


@case
def a_new_name_is_a_label_at_once():
    """The thread has the name of the function it is in. Somebody who writes the
    file is not seen: the name before is kept for 7 more samples of 4 ms."""
    rusage, profile, _ = measure("renames", hz=250)
    expect_total(rusage, profile, hz=250)
    column = profile.column("cpu")
    right, late = collections.Counter(), collections.Counter()
    for sample in profile.samples:
        name = sample.labels.get("thread")
        for where in {lib.name_of(l) for l in sample.stack} & WAYS:
            (right if where == name else late)[where] += \
                sample.values[column]
    lib.note(f"right {dict(right)}, late {dict(late)}")
    for where in WAYS - {"by_file"}:
        expect(right[where] >= 320e6 and late[where] == 0,
               f"{where}: {right[where]} ns of 400e6, {late[where]} late")
    expect(0 < late["by_file"] <= 5 * 7 * 4e6, f"late: {late}")


@case
def threads_alive_at_the_end():
    rusage, profile, _ = measure("alive_at_end")
    expect_total(rusage, profile)
    cum = profile.cum("cpu")
    expect(cum["worker"] > 0, f"names {list(cum)}")


@case
def many_short_threads_leave_nothing_behind():
    rusage, profile, _ = measure("many")
    expect_total(rusage, profile)
    used = profile.statistics()["memory used (bytes)"]
    expect(used < 1 << 20, f"{used} bytes of memory used for 3000 threads")


@case
def threads_that_are_cancelled_or_leave():
    rusage, profile, _ = measure("endings")
    expect_total(rusage, profile)


@case
def destructors_that_come_after_ours():
    with lib.Directory() as d:
        plain = lib.run([lib.target("threads"), "destructors"], d,
                        preload=False)
    with lib.Directory() as d:
        ours = lib.run([lib.target("threads"), "destructors"], d,
                       env={"PPROFC_HEAP_RATE": 1})
        lib.expect_same(plain, ours, [(rb"rusage \d+", b"rusage")])
        heap = lib.Profile(lib.profile_of(ours, "heap"))
        # Destructors run in four rounds of 20 keys in each of 50 threads.
        index = heap.column("alloc_objects")
        small = sum(s.values[index] for s in heap.samples if s.stack
                    and lib.name_of(s.stack[0]) == "destroy")
        expect_equal(small, 50 * 4 * 20 * 50, "allocations in destructors")


def raw_is_found(what):
    rusage, profile, _ = measure(what)
    expect_total(rusage, profile)
    cum = profile.cum("cpu")
    # Found after some 100 samples of the other one; until then its time is
    # charged to it at its end.
    expect(cum["raw_worker"] >= 0.2 * 2e9, f"raw_worker has {cum}")


@case
def raw_thread_beside_a_seen_one():
    raw_is_found("raw")


@case
def raw_thread_with_a_thread_pointer_of_its_own():
    raw_is_found("raw_own_tls")


@case
def raw_thread_while_nobody_else_works():
    rusage, profile, _ = measure("raw_alone")
    expect_total(rusage, profile)
    # Nobody looks for it until main has a sample, perhaps never.
    flat = profile.flat("cpu")
    ns = (flat["[thread unseen]"] + flat["[thread end]"]
          + profile.cum("cpu")["raw_worker"])
    expect(ns >= 450e6, f"{ns} ns of 500 ms; {flat}")


@case
def threads_that_libc_starts_by_itself():
    rusage, profile, _ = measure("sigev_thread")
    expect_total(rusage, profile, found=100)


@case
def threads_without_a_timer_are_charged_at_their_end():
    rusage, profile, _ = measure("no_timers")
    expect_total(rusage, profile)
    failed = [v for k, v in profile.statistics().items() if "timer" in k]
    expect(failed and max(failed) >= 4, f"comments: {profile.comments}")
    column = profile.column("cpu")
    ends = sum(s.values[column] for s in profile.samples
               if [lib.name_of(l) for l in s.stack] ==
               ["[thread end]", "worker"])
    expect(ends >= 370e6, f"[thread end] of worker has {ends} ns of 400 ms")


@case
def living_threads_without_a_timer_are_charged_at_the_end():
    rusage, profile, _ = measure("alive_without_timers")
    expect_total(rusage, profile)
    column = profile.column("cpu")
    ends = sum(s.values[column] for s in profile.samples
               if [lib.name_of(l) for l in s.stack] ==
               ["[thread end]", "worker"])
    expect(ends >= rusage - 260e6,
           f"[thread end] of worker has {ends} ns of {rusage} - 200 ms")


@case
def smallest_stacks():
    rusage, profile, _ = measure("small_stacks", hz=250)
    expect_total(rusage, profile, hz=250)
    cum = profile.cum("cpu")
    expect(cum["with_small_stack"] >= 150e6, f"cum {cum}")


if __name__ == "__main__":
    lib.main()
