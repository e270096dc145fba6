#!/usr/bin/env python3
"""Processes that are killed at any moment, in want of memory and of disk: what
`pprofc recover` writes agrees with the books that they kept themselves."""

import os
import pathlib
import random
import resource
import signal
import subprocess

import lib
from hosting import hosted, kill
from killing import Killed, Place, check, in_profile, left, recover
from lib import case, expect, expect_equal

ROUNDS = 500 if lib.LONG else 24


@case
def killed_at_any_instant():
    rng = random.Random(4)
    checked = 0
    for number in range(ROUNDS):
        with Place() as place:
            with Killed(place, forks=rng.choice([0, 0, 3])) as killed:
                if number % 4:
                    killed.wait_for_work(1)
                try:
                    killed.process.wait(rng.uniform(0, 0.25))
                except subprocess.TimeoutExpired:
                    pass
                killed.kill()
                _, err = recover(place.sessions)
                checked += check(killed, err)
    lib.note(f"{checked} of {ROUNDS} killed after their first object")
    expect(checked > ROUNDS / 2, f"only {checked} had begun")


@case
def killed_while_its_profiles_are_written():
    rng = random.Random(5)
    recovered = 0
    for _ in range(100 if lib.LONG else 8):
        with Place() as place:
            with Killed(place) as killed:
                killed.wait_for_work(2000)
                killed.process.send_signal(signal.SIGTERM)
                try:
                    killed.process.wait(rng.uniform(0, 0.02))
                except subprocess.TimeoutExpired:
                    pass
                killed.kill()
                _, err = recover(place.sessions)
                recovered += "recovered" in err
                # Two only if it ended between writing and noting so.
                least = sum(b.cpu_ns for b in killed.books()) > 100e6
                for kind, low in (("heap", 1), ("cpu", least)):
                    found = place.profiles(kind, killed.pid)
                    expect(low <= len(found) <= 2, f"{kind}: {found}")
                    for f in found:
                        expect(lib.Profile(f).samples, f"{f} is empty")
                for seen, b in zip(in_profile(
                        lib.Profile(place.profiles("heap", killed.pid)[0]), 4),
                                   killed.books()):
                    expect(2000 <= seen["alloc_objects"] <= b.make_begun,
                           f"{seen}, books {b}")
                expect_equal(place.session_files(), [], "sessions")
    expect(recovered, "no one was killed early enough")


@case
def killed_under_pressure():
    """Little address space, or a disk that is soon full."""
    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))

    def little_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    for limit in (little_memory, little_files):
        for _ in range(20 if lib.LONG else 2):
            with Place() as place:
                with Killed(place, preexec_fn=limit) as killed:
                    killed.wait_for_work(500)
                    killed.kill()
                    _, err = recover(place.sessions)
                    expect(check(killed, err), "not begun")


@case
def killed_with_a_full_disk():
    with lib.Directory() as disk:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none",
                           disk], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            lib.note("skipped: cannot mount a small disk")
            return
        try:
            for _ in range(20 if lib.LONG else 2):
                with Place(disk) as place:
                    with hosted(place, made=30000, freed=10000) as process:
                        kill(process)
                        recover(place.sessions)
                        heap = place.profile("heap", process.pid)
                        expect_equal(sum(
                            s.values[heap.column("alloc_objects")]
                            for s in heap.samples
                            if s.labels.get("bytes") == "[12]288"
                            or "make_object" in {
                                f.name for l in s.stack for f in l.frames}
                        ), 30000, "objects made")
                        expect(any(c.startswith("INCOMPLETE")
                                   for c in heap.comments), heap.comments)
                        expect_equal(place.session_files(), [], "sessions")
        finally:
            subprocess.run(["umount", disk], check=True)


def cgroup():
    """A memory cgroup of ours, or None."""
    base = pathlib.Path("/sys/fs/cgroup")
    v2 = (base / "cgroup.controllers").exists()
    group = (base if v2 else base / "memory") / f"pprofc-test.{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.max" if v2 else "memory.limit_in_bytes")).write_text(
            str(60 << 20))
        swap = group / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")
    except OSError:
        return None
    return group


@case
def killed_by_the_kernel_out_of_memory():
    group = cgroup()
    if not group:
        lib.note("skipped: no memory cgroup to be had")
        return

    def join():
        (group / "cgroup.procs").write_text(str(os.getpid()))

    code = "x = []\nwhile True: x.append(b'x' * 100000)"
    with Place() as place:
        try:
            process = place.start(
                [lib.command("python3", "python3"), "-c", code],
                preexec_fn=join, env={"PPROFC_HEAP_RATE": 65536})
            try:
                expect_equal(process.wait(60), -9, "status")
            finally:
                lib.end(process)
            recover(place.sessions)
            heap = place.profile("heap", process.pid)
            live = heap.total("inuse_space")
            expect(30e6 < live < 80e6, f"{live} bytes in use at the end")
            lib.traces(heap.path)
        finally:
            group.rmdir()


@case
def exec_storm_that_is_killed():
    rng = random.Random(6)
    for _ in range(40 if lib.LONG else 4):
        with Place() as place:
            process = place.start(
                ["sh", "-c", "while :; do /bin/true; /bin/echo x; done"],
                stdout=subprocess.DEVNULL, env={"PPROFC_HEAP_RATE": 1})
            try:
                process.wait(rng.uniform(0.1, 0.4))
            except subprocess.TimeoutExpired:
                pass
            lib.end(process)
            recover(place.sessions)
            place.profile("heap", process.pid)
            for f in lib.profiles(place.path)[:5]:
                expect(lib.Profile(f).samples, f"{f} is empty")
            expect_equal(left(place), [], "what is left")


if __name__ == "__main__":
    lib.main()
