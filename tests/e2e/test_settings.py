#!/usr/bin/env python3
"""Settings that no other test gives a good value: each does what it says, and
what a small PPROFC_MEMORY leaves out is said."""
import re
import subprocess

import lib
from lib import case, expect, expect_equal

OBJECTS = 60000
STACKS = 40000
MISSING = "sampled objects missing in the in-use values"
OVERFLOW = "samples without a stack, in [overflow]"


def settings(directory, *arguments, **env):
    result = lib.run([lib.target("settings"), *arguments], directory,
                     env={f"PPROFC_{k}": v for k, v in env.items()})
    expect_equal((result.status, result.err), (0, b""), "status and stderr")
    return result


def small_memory(directory, what, count, kinds="heap"):
    """Run under `pprofc run` with 1 MiB and every allocation recorded: its
    messages, and the profiles by kind."""
    done = subprocess.run(
        [lib.BUILD / "pprofc", "run", "-o", "out/", "--memory=1m",
         "--heap-rate=1", f"--profiles={kinds}", lib.target("settings"), what,
         str(count)], cwd=directory, env=lib.environment(False),
        capture_output=True, timeout=120, check=False)
    expect_equal((done.returncode, done.stdout), (0, b""), "the run")
    found = {p.name.split(".")[-3]: lib.Profile(p)
             for p in (directory / "out").glob("*.pb.gz")}
    expect_equal(sorted(found), sorted(kinds.split(",")), "kinds written")
    return done.stderr.decode().splitlines(), found


def number_of(text, lines):
    """N of the one line "... N TEXT: REASON"."""
    found = [int(m[1]) for m in (re.search(rf"\b(\d+) {re.escape(text)}: "
                                           r"PPROFC_MEMORY is too small$", l)
                                 for l in lines) if m]
    expect_equal(len(found), 1, f"lines that say {text!r} in {lines}")
    return found[0]


@case
def memory_full_of_live_objects_is_said():
    """What was allocated is right; what is in use lacks as many objects as
    the message and the first comment say."""
    with lib.Directory() as tmp:
        messages, found = small_memory(tmp, "objects", OBJECTS,
                                       "heap,heap_peak")
        missing = number_of(MISSING, messages)
        expect(0 < missing < OBJECTS, f"{missing} missing")
        for profile in found.values():
            expect(profile.comments[0].startswith("INCOMPLETE: "),
                   f"comments: {profile.comments}")
            expect_equal(number_of(MISSING, profile.comments[:1]), missing,
                         "objects missing by the first comment")
        heap = found["heap"]
        expect_equal(heap.cum("alloc_objects")["keep"], OBJECTS, "allocated")
        expect_equal(heap.cum("alloc_space")["keep"], OBJECTS * 48, "bytes")
        for profile in found.values():
            kept = profile.cum("inuse_objects")["keep"]
            # Others are missing, too: libc's at the end of the program.
            expect(0 <= kept + missing - OBJECTS <= 50,
                   f"{profile.path.name}: {kept} in use and {missing} missing "
                   f"of {OBJECTS}")


@case
def memory_full_of_stacks_is_said():
    with lib.Directory() as tmp:
        messages, found = small_memory(tmp, "stacks", STACKS, "allocs")
        overflow = number_of(OVERFLOW, messages)
        flat = found["allocs"].flat("alloc_objects")
        expect_equal(flat["[overflow]"], overflow, "objects in [overflow]")
        expect(0 < overflow < STACKS, f"{overflow} in [overflow]")
        kept = found["allocs"].cum("alloc_objects")["keep"]
        expect(0 <= kept + overflow - STACKS <= 50,
               f"{kept} in keep and {overflow} in [overflow] of {STACKS}")


@case
def memory_enough_leaves_nothing_to_say():
    with lib.Directory() as tmp:
        log = tmp / "log"
        result = settings(tmp, "objects", 5000, PROFILES="heap", HEAP_RATE=1,
                          MEMORY="16m", LOG=log)
        heap = lib.Profile(lib.profile_of(result, "heap"))
        expect_equal(heap.cum("inuse_objects")["keep"], 5000, "in use")
        expect(not any("INCOMPLETE" in c for c in heap.comments),
               f"comments: {heap.comments}")
        lines = log.read_text().splitlines()
        expect(len(lines) == 1 and "wrote " in lines[0], f"log: {lines}")


@case
def tid_keeps_threads_apart():
    with lib.Directory() as tmp:
        result = settings(tmp, "crew", 8, 100, PROFILES="cpu", TID="yes")
        tids = set(result.out.decode().split())
        expect_equal(len(tids), 8, "threads")
        profile = lib.Profile(lib.profile_of(result, "cpu"))
        ms = dict.fromkeys(tids, 0.0)
        for sample in profile.samples:
            if sample.labels.get("thread") == "crew":
                tid = sample.labels.get("tid", "none").split()[0]
                expect(tid in tids, f"label tid is {tid}, not of {tids}")
                ms[tid] += sample.values[profile.column("cpu")] / 1e6
        # One period at both ends, and ticks that come late.
        expect(all(abs(v - 100) <= 40 for v in ms.values()),
               f"ms by tid, expected 100 each: {ms}")
    with lib.Directory() as tmp:
        result = settings(tmp, "crew", 2, 50, PROFILES="cpu")
        profile = lib.Profile(lib.profile_of(result, "cpu"))
        expect(not any("tid" in s.labels for s in profile.samples),
               "a label tid nobody asked for")


@case
def symbols_none_leaves_addresses_that_pprof_can_name():
    with lib.Directory() as tmp:
        result = settings(tmp, "crew", 1, 400, PROFILES="cpu", SYMBOLS="none")
        path = lib.profile_of(result, "cpu")
        profile = lib.Profile(path)
        named = {f.name for l in profile.locations.values() for f in l.frames
                 if l.mapping and l.mapping.path.endswith("/settings")}
        expect_equal(named, set(), "names in the profile")
        expect("PPROFC_SYMBOLS=none" in profile.comments,
               f"comments: {profile.comments}")
        out, err = lib.pprof("-symbolize=local", "-top", "-cum", path)
        row = re.search(r"([0-9.]+)%  crew_work$", out, re.M)
        expect(row and float(row[1]) >= 70, f"{out[:600]} {err[:300]}")


@case
def program_is_matched_by_its_name():
    for pattern in ("settings", "set*", "[r-t]ettin?s"):
        with lib.Directory() as tmp:
            result = settings(tmp, "crew", 1, 50, PROFILES="cpu",
                              PROGRAM=pattern)
            lib.profile_of(result, "cpu")
    for pattern in ("other", "set", "[a-q]*", "*/settings"):
        with lib.Directory() as tmp:
            result = settings(tmp, "crew", 1, 50, PROFILES="cpu",
                              PROGRAM=pattern)
            expect_equal(result.profiles, [], f"profiles with {pattern}")


lib.main()
