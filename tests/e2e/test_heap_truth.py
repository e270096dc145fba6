#!/usr/bin/env python3
"""Heap profiles against the books the program kept itself.

tests/targets/heap_ledger.cc allocates through functions path_* in every way
there is, resizes (also in vain) and frees, and prints how many objects of each
path and size it made and still holds. ledger.py has the bounds: at rate 1
none, at others such that a whole file raises a false alarm with probability
below 1e-6. The sums of all seeds of a rate are tested together, and each run
by itself.
"""

import collections

import lib
from ledger import (COLUMNS, allocated, at_peak, books_of, expect_exact,
                    expect_near, live, path_of, sums)
from lib import case, expect

SEEDS = 40 if lib.LONG else 20
OPERATIONS = 200000
PEAK = ("inuse_objects", "inuse_space")

def run(rate, seed, *threads, kinds="heap"):
    """Returns (books, {kind: Profile})."""
    with lib.Directory() as d:
        result = lib.run(
            [lib.target("heap_ledger"), OPERATIONS, seed, *threads], d,
            env={"PPROFC_PROFILES": kinds, "PPROFC_HEAP_RATE": rate})
        expect(result.status == 0, f"status {result.status}: {result.err}")
        found = {k: lib.Profile(lib.profile_of(result, k))
                 for k in kinds.split(",")}
    for profile in found.values():
        losses = {k: v for k, v in profile.statistics().items()
                  if "lost" in k and v}
        expect(not losses, f"losses: {losses}")
    return books_of(result.out), found


def exact(*threads):
    for seed in range(1, 4):
        books, found = run(1, seed, *threads, kinds="heap,allocs")
        for profile in found.values():
            expect_exact(books, profile, COLUMNS, (allocated, live))


@case
def rate_1_is_exact():
    exact()


@case
def rate_1_is_exact_with_8_threads():
    exact(8)


@case
def peak_is_exact_at_rate_1():
    books, found = run(1, 77, kinds="heap_peak,heap")
    expect_exact({p: e for p, e in books.items() if sum(map(at_peak, e))},
                 found["heap_peak"], PEAK, (at_peak,))
    expect_exact(books, found["heap"], COLUMNS, (allocated, live))


def merge_books(all_books):
    """Entries of equal paths after each other: sums, variances add up."""
    merged = collections.defaultdict(list)
    for books in all_books:
        for path, entries in books.items():
            merged[path] += entries
    return merged


def sampled(rate, seeds, *threads):
    all_books, rows = [], collections.Counter()
    got = collections.defaultdict(lambda: [0] * len(COLUMNS))
    for seed in range(1, seeds + 1):
        books, found = run(rate, seed, *threads)
        one, some = sums(found["heap"], COLUMNS)
        expect_near(books, one, some, rate, f"rate {rate}, seed {seed}")
        all_books.append(books)
        rows.update(some)
        for path, values in one.items():
            got[path] = [a + b for a, b in zip(got[path], values)]
    widest = expect_near(merge_books(all_books), got, rows, rate,
                         f"rate {rate}, {seeds} seeds")
    lib.note(f"rate {rate}, {seeds} seeds: bytes of each path within "
             f"{100 * widest:.1f} % or less")


@case
def rate_4096_is_unbiased_over_seeds():
    sampled(4096, SEEDS)


@case
def rate_524288_is_unbiased_over_seeds():
    sampled(524288, SEEDS)


@case
def rate_4096_is_unbiased_with_8_threads():
    sampled(4096, 4, 8)


@case
def leaf_is_the_caller():
    """Frames of ours are never shown; libstdc++ and libc may stand between."""
    _, found = run(1, 5)
    for s in found["heap"].samples:
        for location in s.stack:
            path = location.mapping.path if location.mapping else ""
            expect("libpprofc" not in path, f"a frame of ours: {location}")
    leaves = {lib.name_of(s.stack[0]) for s in found["heap"].samples
              if path_of(s)}
    for name in ("malloc", "calloc", "realloc", "memalign", "aligned_alloc",
                 "posix_memalign", "valloc", "pvalloc", "reallocarray"):
        expect(f"path_{name}" in leaves, f"path_{name} is no leaf: {leaves}")


if __name__ == "__main__":
    lib.main()
