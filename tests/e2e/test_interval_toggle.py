#!/usr/bin/env python3
"""CPU windows between toggle signals; cumulative dumps at an interval.

tests/targets/phases.c works on command: in work_a, work_b or work_c, so many
ms of CPU time in each of two threads that live all the time.

How far a profile may be off: 2 %, as promised, and what moves when a thread
goes from one function to the next: a timer that expires is booked at the next
tick that hits the thread, with all periods passed since, to the function that
runs then. As in test_cpu_truth.py, such ticks are taken to be a Poisson process
with a mean distance of G = 2 ticks. What moves of two threads is then the sum
of two exponential times, above y G with probability exp(-y) (1 + y), which is
below 1e-6 for y = 17, and a period of each. A virtual machine that did not run
adds the longest time that the program saw pass between two looks at its clock.
Truth is what it used, not what it was told to use.
"""

import os
import re
import signal
import subprocess

import lib
from lib import case, expect, expect_equal

THREADS = 2
MOVE_MS = 17 * 2 * 4 + THREADS * 10


class Phases:
    """The program, with its log."""

    def __init__(self, directory, **env):
        self.directory = directory
        self.log = directory / "log"
        self.gap_ms = 0
        self.process = lib.start(
            [lib.target("phases")], directory, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={"PPROFC_LOG": self.log, **env})

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        lib.end(self.process)

    def work(self, what, ms):
        """Returns the ms used, of both threads."""
        self.process.stdin.write(f"{what} {ms}\n".encode())
        self.process.stdin.flush()
        done, used, gap = self.process.stdout.readline().split()
        expect_equal(done, b"done", "output")
        self.gap_ms = max(self.gap_ms, int(gap) / 1e6)
        return int(used) / 1e6

    def logged(self, text):
        return self.log.read_text().count(text) if self.log.exists() else 0

    def toggle(self, text):
        before = self.logged(text)
        self.process.send_signal(signal.SIGUSR1)
        lib.wait_for(lambda: self.logged(text) > before, text)

    def finish(self):
        self.process.stdin.close()
        expect_equal(self.process.wait(timeout=20), 0, "status")

    def files(self, kind):
        """{number, None for the exit file: path}; by their names alone, since
        PPROFC_KEEP may remove them any time."""
        found = {}
        for path in lib.profiles(self.directory, kind):
            m = re.search(rf"\.{kind}\.(?:(\d+)\.)?pb\.gz$", path.name)
            found[int(m[1]) if m[1] else None] = path
        return found

    def profiles(self, kind):
        return {n: lib.Profile(p) for n, p in self.files(kind).items()}


def expect_work(p, profile, **used_ms):
    """The work functions have so many ms in one visit, the others
    nothing."""
    cum = profile.cum("cpu")
    move_ms = MOVE_MS + THREADS * p.gap_ms
    for what in "abc":
        got, used = cum[f"work_{what}"] / 1e6, used_ms.get(what, 0)
        allowed = 0.02 * used + move_ms if used else 0
        expect(abs(got - used) <= allowed,
               f"{profile.path.name}: work_{what} has {got:.0f} ms, used "
               f"were {used:.0f}, allowed +-{allowed:.0f}")
        expect(got > 0 or not used, f"{profile.path.name}: no work_{what}")
    ends = profile.flat("cpu")["[thread end]"] / 1e6
    expect(ends <= move_ms, f"{ends} ms of [thread end]")


@case
def windows_hold_what_happened_in_them():
    with lib.Directory() as d, Phases(
            d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_PROFILES="cpu") as p:
        p.work("a", 100)
        p.toggle("CPU profile started")
        b1 = p.work("b", 300)
        p.toggle("CPU profile stopped")
        p.work("a", 100)
        p.toggle("CPU profile started")
        c2 = p.work("c", 200)
        b2 = p.work("b", 200)
        p.toggle("CPU profile stopped")
        p.work("a", 100)
        p.finish()
        found = p.profiles("cpu")
        expect_equal(sorted(found, key=str), [1, 2], "files")
        expect_work(p, found[1], b=b1)
        expect_work(p, found[2], b=b2, c=c2)


@case
def window_open_at_the_end_is_written():
    with lib.Directory() as d, Phases(
            d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_PROFILES="cpu") as p:
        p.work("a", 100)
        p.toggle("CPU profile started")
        used = p.work("b", 300)
        p.finish()
        found = p.profiles("cpu")
        expect_equal(list(found), [1], "files")
        expect_work(p, found[1], b=used)


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
def toggle_without_the_cpu_kind_says_so():
    for profiles in ("heap", "none"):
        with lib.Directory() as d, Phases(
                d, PPROFC_TOGGLE_SIGNAL="USR1", PPROFC_HEAP_RATE=1,
                PPROFC_PROFILES=profiles) as p:
            p.work("a", 10)
            expect_equal(p.logged("PPROFC_TOGGLE_SIGNAL does nothing"), 1,
                         "lines at the start")
            p.toggle("no CPU profile is being made")
            p.work("b", 50)
            p.toggle("no CPU profile is being made")
            p.finish()
            expect_equal(p.logged("CPU profile started"), 0, "windows")
            expect_equal(p.profiles("cpu"), {}, "cpu files")


def next_dump(p):
    """A number whose files were begun after now, when they are there."""
    seen = max([n for n in p.files("heap") if n], default=0)
    # The one after those seen may be half written.
    lib.wait_for(lambda: seen + 2 in p.files("heap"), f"dump {seen + 2}")
    return seen + 2


@case
def interval_dumps_are_cumulative():
    with lib.Directory() as d, Phases(
            d, PPROFC_INTERVAL=1, PPROFC_HEAP_RATE=1) as p:
        a = p.work("a", 300)
        one = next_dump(p)
        b = p.work("b", 300)
        two = next_dump(p)
        p.finish()
        cpu, heap = p.profiles("cpu"), p.profiles("heap")
        for number, used in ((one, {"a": a}), (two, {"a": a, "b": b}),
                             (None, {"a": a, "b": b})):
            expect_work(p, cpu[number], **used)
            made = heap[number].cum("alloc_space")
            expect_equal([made[f"work_{x}"] for x in "ab"],
                         [2000, 2000 if "b" in used else 0],
                         f"bytes made by work_a and work_b in {number}")


@case
def the_newest_dumps_are_kept():
    with lib.Directory() as d, Phases(
            d, PPROFC_INTERVAL=1, PPROFC_KEEP=2, PPROFC_HEAP_RATE=1) as p:
        p.work("a", 50)
        lib.wait_for(lambda: max([n for n in p.files("heap") if n],
                                 default=0) >= 4, "fourth dump")
        p.finish()
        for kind in ("cpu", "heap"):
            found = p.files(kind)
            numbers = sorted(n for n in found if n)
            expect(len(numbers) == 2 and numbers[1] >= 4 and
                   numbers[0] == numbers[1] - 1, f"{kind} files {numbers}")
            expect(None in found, f"no {kind} file of the end")


@case
def interval_adds_one_thread_that_blocks_all_signals():
    with lib.Directory() as d, Phases(d, PPROFC_INTERVAL=60) as p:
        p.work("a", 1)
        tids = lib.threads_of(p.process.pid)
        expect_equal(len(tids), 3, "threads")
        # It gives itself its name.
        ours = lib.wait_for(lambda: [t for t in tids if open(
            f"/proc/{p.process.pid}/task/{t}/comm").read() == "pprofc\n"],
            "thread named pprofc")
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
