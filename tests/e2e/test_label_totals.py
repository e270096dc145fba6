#!/usr/bin/env python3
"""Labels split what is recorded into more rows, and change no sum.

tests/targets/labelled.c prints its own account. Whatever labels, names of
threads and PPROFC_TID make of it, the profiles must say the same.
"""

import lib
from lib import case, expect, expect_equal

HZ = 250
THREADS = 5


def own_account(result):
    expect_equal(result.status, 0, f"status ({result.err[-200:]})")
    return {k: int(v) for k, v in
            (line.split() for line in result.out.decode().splitlines())}


def sums_in(profile, function):
    return [sum(s.values[i] for s in profile.samples if any(
        f.name == function for l in s.stack for f in l.frames))
            for i in range(len(profile.types))]


def check(keys, *words, **env):
    with lib.Directory() as d:
        result = lib.run(
            [lib.target("labelled"), *words], d,
            env={"PPROFC_PROFILES": "cpu,heap,mutex,block",
                 "PPROFC_CPU_HZ": HZ, "PPROFC_HEAP_RATE": 1,
                 "PPROFC_BLOCK_RATE": 1, "PPROFC_BLOCK": "mutex",
                 "PPROFC_HEAP_LABELS": "yes", **env})
        own = own_account(result)
        p = {k: lib.Profile(lib.profile_of(result, k))
             for k in ("cpu", "heap", "mutex", "block")}
    objects = sums_in(p["heap"], "allocate")[p["heap"].column("alloc_objects")]
    expect_equal(objects, own["objects"], "objects")
    for kind, function in (("block", "waiter"), ("mutex", "holder")):
        count, delay = sums_in(p[kind], function)
        expect_equal(count, own["contentions"], f"contentions of {kind}")
        expect(abs(delay - own["delay"]) <= 0.05 * own["delay"],
               f"{kind}: delay {delay}, by the program's clock {own['delay']}")
    expect_equal(p["mutex"].total("delay"), p["block"].total("delay"),
                 "delay in mutex and in block")
    cpu = p["cpu"].total("cpu")
    lib.note(f"cpu {own['cpu']} ns, in the profile {cpu}")
    expect(abs(cpu - own["cpu"]) <= 0.02 * own["cpu"] + THREADS * 1e9 / HZ,
           f"cpu time {cpu} ns, by the program's clock {own['cpu']}")
    for kind, profile in p.items():
        seen = {k for s in profile.samples for k in s.labels} & \
            {"phase", "role", "tid"}
        # the heap's rows are of no thread
        expect_equal(seen, set(keys) - ({"tid"} if kind == "heap" else set()),
                     f"labels in {kind}")


@case
def without_any():
    check(())


@case
def with_labels_of_the_program():
    check(("phase", "role"), "labels")


@case
def with_names_of_threads():
    check((), "names")


@case
def with_threads_apart():
    check(("tid",), PPROFC_TID="yes")


@case
def with_all():
    check(("phase", "role", "tid"), "labels", "names", PPROFC_TID="yes")


if __name__ == "__main__":
    lib.main()
