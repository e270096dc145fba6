#!/usr/bin/env python3
"""Processes that were killed, and what `pprofc recover` makes of the sessions
they leave: the same profiles that a clean end would have written."""

import random
import signal
import subprocess

import lib
from killing import Killed, Place, check, recover
from lib import case, expect, expect_equal

ROUNDS = 500 if lib.LONG else 24


def host(place, made=1000, freed=300, size=12345, ms=200, env=None):
    """session_host after its work, waiting for the end of its input."""
    variables = {"PPROFC_HEAP_RATE": 1}
    variables.update(env or {})
    process = place.start(
        [lib.target("session_host"), made, freed, size, ms],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
    try:
        expect_equal(process.stdout.readline(), b"ready\n", "first line")
    except BaseException:
        lib.end(process)
        raise
    return process


def finish(process):
    lib.end(process)
    process.stdin.close()
    process.stdout.close()


def kill(process, sig=signal.SIGKILL):
    process.send_signal(sig)
    process.wait(20)


@case
def killed_process_has_its_profiles():
    with Place() as place:
        process = host(place)
        try:
            kill(process)
            _, err = recover(place.sessions)
            heap = place.profile("heap", process.pid)
            cpu = place.profile("cpu", process.pid)
            made = heap.cum("alloc_objects")["make_object"]
            live = heap.cum("inuse_objects")["make_object"]
            expect_equal((made, live), (1000, 700), "objects made, in use")
            lib.expect_hot(cpu.path, "burn", 80)
            expect(f"process {process.pid}: ended without" in err, err)
            for p in (heap, cpu):
                expect(any(c.startswith("recovered: process")
                           for c in p.comments), p.comments)
                expect(any(c.startswith("data until: 20")
                           for c in p.comments), p.comments)
            expect("Duration" in cpu.fields, cpu.fields)
            expect_equal(place.session_files(), [], "sessions")
            recover(place.sessions)
            expect_equal(len(lib.profiles(place.path)), 2, "profiles")
        finally:
            finish(process)


@case
def living_process_is_left_alone():
    with Place() as place:
        process = host(place)
        try:
            _, err = recover(place.sessions)
            expect("left alone" in err, err)
            expect_equal(lib.profiles(place.path), [], "profiles")
            path = place.session_files()[0]
            before = path.read_bytes()
            recover(path, status=1)
            recover("--snapshot", "-o", f"{place.path}/snap/", path)
            expect_equal(path.read_bytes() == before, True, "unchanged")
            snaps = sorted((place.path / "snap").iterdir())
            expect_equal(len(snaps), 2, f"{snaps}")
            heap = lib.Profile(snaps[1])
            expect_equal(heap.cum("inuse_objects")["make_object"], 700,
                         "objects in use")
            process.stdin.close()
            expect_equal(process.wait(20), 0, "status")
            place.profile("heap", process.pid)
        finally:
            finish(process)


@case
def killed_at_any_instant():
    rng = random.Random(4)
    checked = 0
    for number in range(ROUNDS):
        with Place() as place:
            killed = Killed(place, forks=rng.choice([0, 0, 3]))
            try:
                if number % 4:
                    killed.wait_for_work(1)
                try:
                    killed.process.wait(rng.uniform(0, 0.25))
                except subprocess.TimeoutExpired:
                    pass
                killed.kill()
                _, err = recover(place.sessions)
                checked += check(killed, err)
            finally:
                killed.kill()
    lib.note(f"{checked} of {ROUNDS} killed after their first object")
    expect(checked > ROUNDS / 2, f"only {checked} had begun")


if __name__ == "__main__":
    lib.main()
