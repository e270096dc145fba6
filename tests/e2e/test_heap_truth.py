#!/usr/bin/env python3
"""Heap profiles against the books the program kept itself.

tests/targets/heap_ledger.cc allocates through functions path_* in every way
there is, resizes (also in vain) and frees, and prints how many objects of each
path and size it made and still holds.

At rate 1 everything must agree exactly: objects and bytes, allocated, in use
and at the peak.

At other rates R each allocation of s bytes is recorded independently with
chance P = 1 - exp(-(s + 1)/R) and weighs 1/P. A path's sum of v (1 for
objects, s for bytes) over n allocations is unbiased, has variance
V = sum v^2 (1/P - 1), and no term exceeds M = max v/P; so by Bernstein it is
off by more than

	t = M L/3 + sqrt((M L/3)^2 + 2 V L),	L = ln(2/a)

with probability below a. The sums of all seeds of a rate are tested together,
and each run by itself. With a = 1e-6 / CHECKS the file raises a false alarm
with probability below 1e-6. To t come the promised 1e-4 of the truth for the
16 fraction bits of weights, and 1 for each row of the file, because values
there are whole.
"""

import collections
import math

import lib
from lib import case, expect, expect_equal

SEEDS = 40 if lib.LONG else 20
OPERATIONS = 200000
CHECKS = 30 * 4 * (2 * SEEDS + 4)
LOG = math.log(2 * CHECKS / 1e-6)
COLUMNS = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")
PEAK = ("inuse_objects", "inuse_space")

Entry = collections.namedtuple("Entry", "size allocated live at_peak")


def books_of(text):
    books = collections.defaultdict(list)
    for line in text.decode().splitlines():
        path, *numbers = line.split()
        books[path].append(Entry(*map(int, numbers)))
    return books


def path_of(sample):
    for location in sample.stack:
        for frame in location.frames:
            if frame.name.startswith("path_"):
                return frame.name
    return None


def sums(profile, columns):
    """{path: [sum of each column]}, {path: rows}."""
    total = collections.defaultdict(lambda: [0] * len(columns))
    rows = collections.Counter()
    which = [profile.column(c) for c in columns]
    for s in profile.samples:
        path = path_of(s)
        if path:
            rows[path] += 1
            for i, column in enumerate(which):
                total[path][i] += s.values[column]
    return total, rows


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


def truth(entries, counts):
    """Objects and bytes."""
    return [sum(counts(e) for e in entries),
            sum(counts(e) * e.size for e in entries)]


def allocated(entry):
    return entry.allocated


def live(entry):
    return entry.live


def at_peak(entry):
    return entry.at_peak


def expect_exact(books, profile, columns, counts):
    got, _ = sums(profile, columns)
    for path, entries in books.items():
        wanted = [n for count in counts for n in truth(entries, count)]
        expect_equal(dict(zip(columns, got[path])), dict(zip(columns, wanted)),
                     path)
    expect_equal(sorted(k for k, v in got.items() if any(v)), sorted(books),
                 "paths in the profile")


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


def bound(entries, counts, power, rate):
    """Bernstein's t for the sum of size**power."""
    variance = most = 0.0
    for e in entries:
        if counts(e):
            weight = -1 / math.expm1(-(e.size + 1) / rate)
            value = float(e.size) ** power
            variance += counts(e) * value * value * (weight - 1)
            most = max(most, value * weight)
    a = most * LOG / 3
    return a + math.sqrt(a * a + 2 * variance * LOG)


def expect_near(books, got, rows, rate, what):
    """Returns the widest bound on bytes allocated, relative."""
    widest = 0.0
    for path, entries in books.items():
        for i, column in enumerate(COLUMNS):
            counts, power = (allocated, live)[i // 2], i % 2
            wanted = truth(entries, counts)[power]
            t = bound(entries, counts, power, rate) + 1e-4 * wanted + rows[path]
            expect(abs(got[path][i] - wanted) <= t,
                   f"{what}: {path} {column} is {got[path][i]}, expected "
                   f"{wanted} +- {t:.0f}")
            if column == "alloc_space":
                widest = max(widest, t / wanted)
    return widest


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
