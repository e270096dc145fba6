"""starts.py - where does a complete stack begin?

A stack ends well when its outermost frame lies in code that has no caller:
`_start` of the executable (named, or found by the ELF entry point when the
file is stripped) and the thread starts of libc (`clone3`, `__clone`: named,
or found as the code whose unwind information says that the return address is
undefined).
"""

import math
import os
import re
import subprocess

import lib

NAMES = {"_start", "clone3", "__clone3", "clone", "__clone"}
ENTRY_BYTES = 0x40

_cache = {}


def _readelf(flags, path):
    # Its status is 1 when a file linked for debugging is missing.
    out = subprocess.run(
        ["readelf", *flags, path], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, check=False,
        env=lib.environment(False)).stdout.decode(errors="replace")
    lib.expect(out, f"readelf {flags} {path} prints nothing")
    return out


def _undefined_callers(path):
    """[(start, end)] of the code whose return address is undefined."""
    found, here = [], None
    for line in _readelf(["--debug-dump=frames", "-W"], path).splitlines():
        m = re.search(r" FDE .* pc=([0-9a-f]+)\.\.([0-9a-f]+)", line)
        if m:
            here = (int(m[1], 16), int(m[2], 16))
        elif here and re.search(r"DW_CFA_undefined: r16\b", line):
            found.append(here)
            here = None
    return found


def _ranges(path):
    if path not in _cache:
        entry = int(re.search(r"Entry point address: *0x([0-9a-f]+)",
                              _readelf(["-hW"], path))[1], 16)
        found = [(entry, entry + ENTRY_BYTES)]
        if os.path.basename(path).startswith("libc."):
            found += _undefined_callers(path)
        segments = [(int(m[1], 16), int(m[2], 16)) for m in re.finditer(
            r"LOAD +0x([0-9a-f]+) 0x([0-9a-f]+)", _readelf(["-lW"], path))]
        _cache[path] = found, segments
    return _cache[path]


def is_start(location):
    if location.frames:
        return location.frames[-1].name in NAMES
    mapping = location.mapping
    if not mapping or not os.path.isabs(mapping.path):
        return False
    ranges, segments = _ranges(mapping.path)
    address = [location.address - mapping.start + vaddr
               for offset, vaddr in segments if offset == mapping.offset]
    return any(a <= x < b for x in address for a, b in ranges)


def most_short(samples, share=0.005):
    """So many of them may be short by chance if that share is in truth: more
    is seen once in a million runs (Poisson)."""
    mean = share * samples
    k, term = 0, math.exp(-mean)
    rest = 1 - term
    while rest > 1e-6:
        k += 1
        term *= mean / k
        rest -= term
    return k


def check(profile):
    """All but 0.5 % of the CPU samples, and what chance adds to that, begin at
    a start. The residual at thread end has no stack of its own and is counted
    apart. Returns the two shares in percent (well begun of all others,
    residual of all)."""
    good = others = residual = 0
    bad = {}
    column = profile.column("samples")
    for s in profile.samples:
        n = s.values[column]
        if lib.name_of(s.stack[0]) == "[thread end]":
            residual += n
            continue
        others += n
        if is_start(s.stack[-1]):
            good += n
        else:
            key = " < ".join(lib.name_of(l) for l in s.stack[-3:])
            key += f" at {s.stack[-1].address:#x}"
            bad[key] = bad.get(key, 0) + n
    lib.expect(others, f"{profile.path.name}: no CPU sample")
    worst = sorted(bad.items(), key=lambda x: -x[1])[:4]
    lib.expect(others - good <= most_short(others),
               f"{profile.path.name}: {good} of {others} samples end in a "
               f"start, expected all but {most_short(others)}; others end in "
               f"{worst}")
    return 100 * good / others, 100 * residual / (others + residual)
