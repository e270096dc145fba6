"""ledger.py - the books of tests/targets/heap_ledger.cc beside a profile.

At rate 1 both must agree exactly. At other rates R each allocation of s bytes
is recorded independently with chance P = 1 - exp(-(s + 1)/R) and weighs 1/P. A
path's sum of v (1 for objects, s for bytes) over n allocations is unbiased,
has variance V = sum v^2 (1/P - 1), and no term exceeds M = max v/P; so by
Bernstein it is off by more than

	t = M L/3 + sqrt((M L/3)^2 + 2 V L),	L = ln(2/a)

with probability below a = 1e-6 / CHECKS, where CHECKS is more than there are
sums tested in any file. To t come the promised 1e-4 of the truth for the 16
fraction bits of weights, and 1 for each row of the file, because values there
are whole.
"""

import collections
import math

from lib import expect, expect_equal

CHECKS = 20000
LOG = math.log(2 * CHECKS / 1e-6)
COLUMNS = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")

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
