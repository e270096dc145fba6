#!/usr/bin/env python3
"""CPU windows between toggle signals; cumulative dumps at an interval.

tests/targets/phases.c works on command: in work_a, work_b or work_c, so many
ms of CPU time in each of two threads that live all the time.
"""

import os
import re
import signal
import subprocess

import lib
from lib import case, expect, expect_equal

TOLERANCE_MS = 40  # two threads, a period each at both ends


class Phases:
    """The program, with its log."""

    def __init__(self, directory, **env):
        self.directory = directory
        self.log = directory / "log"
        self.process = lib.start(
            [lib.target("phases")], directory, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={"PPROFC_LOG": self.log, **env})

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        lib.end(self.process)

    def work(self, what, ms):
        self.process.stdin.write(f"{what} {ms}\n".encode())
        self.process.stdin.flush()
        expect_equal(self.process.stdout.readline(), b"done\n", "output")

    def logged(self, text):
        return self.log.read_text().count(text) if self.log.exists() else 0

    def toggle(self, text):
        before = self.logged(text)
        self.process.send_signal(signal.SIGUSR1)
        lib.wait_for(lambda: self.logged(text) > before, text)

    def finish(self):
        self.process.stdin.close()
        expect_equal(self.process.wait(timeout=20), 0, "status")

    def profiles(self, kind):
        """{number, None for the exit file: Profile}"""
        found = {}
        for path in lib.profiles(self.directory, kind):
            m = re.search(rf"\.{kind}\.(?:(\d+)\.)?pb\.gz$", path.name)
            found[int(m[1]) if m[1] else None] = lib.Profile(path)
        return found


def expect_work(profile, **ms):
    """The work functions have so many ms, the others nothing."""
    cum = profile.cum("cpu")
    ends = profile.flat("cpu")["[thread end]"] / 1e6
    for what in "abc":
        got, wanted = cum[f"work_{what}"] / 1e6, ms.get(what, 0)
        if wanted:
            expect(wanted - TOLERANCE_MS <= got <= wanted + TOLERANCE_MS,
                   f"{profile.path.name}: work_{what} has {got} ms, "
                   f"expected {wanted}")
        else:
            expect_equal(got, 0, f"{profile.path.name}: work_{what}")
    expect(ends <= TOLERANCE_MS, f"{ends} ms of [thread end]")


@case
def windows_hold_what_happened_in_them():
    with lib.Directory() as d, Phases(
            d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_PROFILES="cpu") as p:
        p.work("a", 100)
        p.toggle("CPU profile started")
        p.work("b", 200)
        p.toggle("CPU profile stopped")
        p.work("a", 100)
        p.toggle("CPU profile started")
        p.work("c", 100)
        p.work("b", 100)
        p.toggle("CPU profile stopped")
        p.work("a", 100)
        p.finish()
        found = p.profiles("cpu")
        expect_equal(sorted(found, key=str), [1, 2], "files")
        expect_work(found[1], b=400)
        expect_work(found[2], b=200, c=200)


@case
def window_open_at_the_end_is_written():
    with lib.Directory() as d, Phases(
            d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_PROFILES="cpu") as p:
        p.work("a", 100)
        p.toggle("CPU profile started")
        p.work("b", 200)
        p.finish()
        found = p.profiles("cpu")
        expect_equal(list(found), [1], "files")
        expect_work(found[1], b=400)


@case
def toggle_starts_off_and_off_has_no_timer():
    with lib.Directory() as d, Phases(
            d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_PROFILES="cpu") as p:
        p.work("a", 200)
        timers = open(f"/proc/{p.process.pid}/timers").read()
        expect_equal(timers, "", "timers")
        p.finish()
        expect_equal(p.profiles("cpu"), {}, "files")


@case
def toggles_are_all_carried_out():
    with lib.Directory() as d, Phases(
            d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_PROFILES="cpu") as p:
        p.work("a", 10)
        for i in range(1, 6):
            p.toggle("CPU profile started")
            p.work("b", 50)
            p.toggle("CPU profile stopped")
            expect_equal(p.logged("CPU profile stopped"), i, "windows")
        p.finish()
        expect_equal(sorted(p.profiles("cpu")), [1, 2, 3, 4, 5], "files")


@case
def heap_profile_is_written_beside_windows():
    with lib.Directory() as d, Phases(
            d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_HEAP_RATE=1) as p:
        p.work("a", 10)
        p.finish()
        heap = p.profiles("heap")
        expect_equal(list(heap), [None], "heap files")
        expect(heap[None].cum("alloc_space")["work_a"] == 2000, "work_a")
        expect_equal(p.profiles("cpu"), {}, "cpu files")


@case
def interval_dumps_are_cumulative_and_the_newest_are_kept():
    with lib.Directory() as d, Phases(
            d, PPROFC_INTERVAL=1, PPROFC_KEEP=2, PPROFC_HEAP_RATE=1) as p:
        threads = lib.threads_of(p.process.pid)
        p.work("a", 200)
        lib.wait_for(lambda: 1 in p.profiles("heap"), "first dump")
        first = p.profiles("cpu")[1]
        expect_work(first, a=400)
        p.work("b", 200)
        lib.wait_for(lambda: 4 in p.profiles("heap"), "fourth dump")
        expect(len(threads) <= 3, f"threads {threads}")
        p.finish()
        for kind in ("cpu", "heap"):
            found = p.profiles(kind)
            numbers = sorted(n for n in found if n)
            expect(len(numbers) == 2 and numbers[1] >= 4 and
                   numbers[0] == numbers[1] - 1, f"{kind} files {numbers}")
            expect(None in found, f"no {kind} file of the end")
        expect_work(p.profiles("cpu")[None], a=400, b=400)


@case
def interval_adds_one_thread_that_blocks_all_signals():
    with lib.Directory() as d, Phases(d, PPROFC_INTERVAL=60) as p:
        p.work("a", 1)
        tids = lib.threads_of(p.process.pid)
        expect_equal(len(tids), 3, "threads")
        ours = [t for t in tids if open(
            f"/proc/{p.process.pid}/task/{t}/comm").read() == "pprofc\n"]
        expect_equal(len(ours), 1, "threads named pprofc")
        status = open(f"/proc/{p.process.pid}/task/{ours[0]}/status").read()
        word = int(re.search(r"^SigBlk:\t([0-9a-f]+)", status, re.M)[1], 16)
        never = 1 << signal.SIGKILL - 1 | 1 << signal.SIGSTOP - 1
        expect_equal(word | never, (1 << 64) - 1, "blocked signals")
        p.finish()


def owner(directory, number):
    return lib.wait_for(
        lambda: [f for f in lib.profiles(directory, "heap")
                 if f.name.endswith(f".heap.{number}.pb.gz")],
        f"dump {number}")[0].stat().st_uid


@case
def program_that_gives_up_rights_writes_without_them():
    if os.geteuid() != 0:
        lib.note("needs root")
        return
    with lib.Directory() as d:
        d.chmod(0o755)
        with Phases(d, PPROFC_INTERVAL=1, PPROFC_HEAP_RATE=1,
                    PPROFC_PROFILES="heap") as p:
            (d / "profiles").chmod(0o777)
            p.work("a", 10)
            expect_equal(owner(d, 1), 0, "owner of the first dump")
            p.work("u", 65534)
            expect_equal(owner(d, 2), 65534, "owner of the second dump")
            p.process.send_signal(signal.SIGUSR2)
            expect_equal(owner(d, 3), 65534, "owner of the dump by signal")
            p.finish()


if __name__ == "__main__":
    lib.main()
