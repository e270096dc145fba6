#!/usr/bin/env python3
"""Handlers that jump out of the library's own code: allocations are sampled as
before, and what was lost is counted.

tests/targets/jump_out.c jumps only out of that, so that the program itself does
nothing that is not allowed.
"""

import re

import lib
from lib import case, expect, expect_equal

JUMPS = 100
OBJECTS = 1000


def allocations_in(profile, function):
    index = profile.column("alloc_objects")
    return sum(s.values[index] for s in profile.samples
               if any(lib.name_of(f) == function for f in s.stack))


def lost_in(profile):
    return sum(int(n) for n in re.findall(
        r"^records lost: writer vanished: (\d+)$",
        "\n".join(profile.comments), re.M))


def sampling_goes_on(*args):
    with lib.Directory() as d:
        result = lib.run([lib.target("jump_out"), JUMPS, *args], d, env={
            "PPROFC_HEAP_RATE": 1, "PPROFC_PROFILES": "heap"})
        expect_equal((result.status, result.err), (0, b""), "status, stderr")
        jumps = int(result.out)
        profile = lib.Profile(lib.profile_of(result, "heap"))
        lost = lost_in(profile)
        lib.note(f"{jumps} jumps, {lost} records lost")
        expect(jumps > JUMPS // 2, f"only {jumps} jumps")
        expect_equal(allocations_in(profile, "jumped"), OBJECTS,
                     "allocations after the jumps")
        expect(lost <= jumps, f"{lost} records lost in {jumps} jumps")


@case
def sampling_goes_on_after_jumps_out_of_hooks():
    sampling_goes_on()


@case
def sampling_goes_on_after_jumps_from_an_alternate_stack():
    sampling_goes_on("stack")


if __name__ == "__main__":
    lib.main()
