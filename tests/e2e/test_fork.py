#!/usr/bin/env python3
"""Forked children: one profile a process, each with what that process did.

tests/targets/forks.c: each process of the tree burns 150 ms and holds 1 MB in
a function of its own.
"""

import os
import pathlib
import re
import signal
import subprocess

import lib
from lib import case, expect, expect_equal

WORKERS = ("parent", "child", "grandchild", "second")


def by_pid(directory, kind):
    found = {}
    for path in lib.profiles(directory, kind):
        pid = int(re.match(r"forks\.(\d+)\.", path.name)[1])
        expect(pid not in found, f"two {kind} profiles of {pid}")
        found[pid] = lib.Profile(path)
    return found


def work_of(profile, column):
    """{who: value} of the work_* functions in it."""
    cum = profile.cum(column)
    return {w: cum[f"work_{w}"] for w in WORKERS if cum[f"work_{w}"]}


@case
def tree_of_processes_has_a_profile_each():
    with lib.Directory() as d:
        plain = lib.run([lib.target("forks"), "tree"], d, preload=False)
    with lib.Directory() as d:
        ours = lib.run([lib.target("forks"), "tree"], d,
                       env={"PPROFC_HEAP_RATE": 1})
        lib.expect_same(plain, ours)
        cpu = [work_of(p, "cpu") for p in by_pid(d, "cpu").values()]
        expect_equal(sorted(list(w)[0] if len(w) == 1 else str(w)
                            for w in cpu), sorted(WORKERS), "who has a profile")
        for work in cpu:
            for who, ns in work.items():
                ms = 300 if who == "parent" else 150
                expect(ms - 20 <= ns / 1e6 <= ms + 20,
                       f"work_{who}: {ns / 1e6} ms of {ms}")
        heap = [work_of(p, "inuse_space") for p in by_pid(d, "heap").values()]
        expect_equal(sorted(heap, key=str), sorted(
            [{"parent": 2000000}, {"child": 1000000}, {"grandchild": 1000000},
             {"second": 1000000}], key=str), "bytes in use, by process")


@case
def forked_child_has_its_pid_in_the_name():
    with lib.Directory() as d:
        lib.run([lib.target("forks"), "tree"], d,
                env={"PPROFC_OUTPUT": f"{d}/profiles/x.%k.pb.gz",
                     "PPROFC_PROFILES": "cpu"})
        names = [f.name for f in lib.profiles(d)]
        expect("x.cpu.pb.gz" in names, f"files {names}")
        expect_equal(len(names), 4, f"number of files in {names}")
        for name in names:
            expect(name == "x.cpu.pb.gz" or re.search(r"\d+", name),
                   f"{name} has no pid")


@case
def storm_of_forks_hangs_no_child():
    with lib.Directory() as d:
        result = lib.run([lib.target("forks"), "storm"], d, timeout=100,
                         env={"PPROFC_HEAP_RATE": 4096, "PPROFC_CPU_HZ": 250})
        expect_equal((result.status, result.out, result.err),
                     (0, b"200 children\n", b""), "status and output")
        names = [f.name for f in result.profiles]
        expect(any(n.startswith("forks.") for n in names), f"files {names}")


@case
def handler_forks_in_the_middle_of_malloc():
    with lib.Directory() as d:
        result = lib.run([lib.target("forks"), "handler"], d,
                         env={"PPROFC_HEAP_RATE": 1}, timeout=100)
        expect_equal((result.status, result.out), (0, b"100 forks\n"),
                     "status and output")
        heap = by_pid(d, "heap")
        held = [p for p in heap.values()
                if p.cum("inuse_space")["handler"] >= 1000000]
        expect_equal(len(held), 1, "processes that hold 1 MB")


def column_sums(profile, function):
    return {c: profile.cum(c)[function] for c in (
        "alloc_objects", "alloc_space", "inuse_objects", "inuse_space")}


@case
def children_return_into_the_hook_they_were_forked_in():
    with lib.Directory() as d:
        result = lib.run([lib.target("forks"), "returns"], d, timeout=100,
                         env={"PPROFC_HEAP_RATE": 1,
                              "PPROFC_PROFILES": "heap"})
        expect_equal((result.status, result.err), (0, b""), "status, stderr")
        told = re.fullmatch(rb"(\d+) children, (\d+) made\n", result.out)
        expect(told, f"output {result.out}")
        children, made = map(int, told.groups())
        expect(children >= 10, f"only {children} children, {made} objects")
        sizes = [i % 100 + 1 for i in range(made)]
        kept = [size for i, size in enumerate(sizes) if i % 4 != 3]
        heaps = list(by_pid(d, "heap").values())
        parents = [p for p in heaps
                   if not p.cum("alloc_objects")["keep_in_child"]]
        expect_equal(len(parents), 1, "profiles of the parent")
        expect_equal(column_sums(parents[0], "keep"), {
            "alloc_objects": made, "alloc_space": sum(sizes),
            "inuse_objects": len(kept), "inuse_space": sum(kept)},
            "the parent's")
        expect_equal(len(heaps), children + 1, "heap profiles")
        for p in heaps:
            if p is parents[0]:
                continue
            expect_equal(column_sums(p, "keep_in_child"), {
                "alloc_objects": 50, "alloc_space": 50000,
                "inuse_objects": 40, "inuse_space": 40000}, "a child's")
            # The one the fork was in the middle of.
            expect(p.cum("alloc_objects")["keep"] <= 1, "too much in a child")


@case
def children_that_no_library_sees_are_left_alone():
    with lib.Directory() as d:
        result = lib.run([lib.target("forks"), "raw"], d,
                         env={"PPROFC_HEAP_RATE": 1})
        expect_equal(result.status, 0, "status")
        for kind, column in (("cpu", "cpu"), ("heap", "inuse_space")):
            works = [set(work_of(p, column)) for p in by_pid(d, kind).values()]
            expect_equal(works, [{"parent"}], f"{kind} profiles")


@case
def child_of_a_thread():
    with lib.Directory() as d:
        result = lib.run([lib.target("forks"), "thread"], d,
                         env={"PPROFC_HEAP_RATE": 1})
        expect_equal(result.status, 0, "status")
        works = [work_of(p, "cpu") for p in by_pid(d, "cpu").values()]
        expect_equal(sorted(tuple(w) for w in works),
                     [("child",), ("parent",)], "who has a profile")
        for work in works:
            for who, ns in work.items():
                expect(130 <= ns / 1e6 <= 170, f"{who}: {ns / 1e6} ms of 150")


def two_idle(d, **env):
    process = lib.start([lib.target("forks"), "idle"], d,
                        stdout=subprocess.PIPE,
                        env={"PPROFC_HEAP_RATE": 1, **env})
    lines = [process.stdout.readline().split() for _ in range(2)]
    return process, {w[0].decode(): int(w[1]) for w in lines}


@case
def signals_dump_parent_and_child():
    with lib.Directory() as d:
        process, pids = two_idle(d)
        try:
            for pid in pids.values():
                os.kill(pid, signal.SIGUSR2)
            for who, size in (("child", 1000000), ("parent", 2000000)):
                path = lib.wait_for(
                    lambda: [f for f in lib.profiles(d, "heap")
                             if f.name == f"forks.{pids[who]}.heap.1.pb.gz"],
                    f"snapshot of the {who}")[0]
                expect_equal(lib.Profile(path).cum("inuse_space")["idle"],
                             size, f"bytes in use of the {who}")
        finally:
            lib.end(process)


@case
def interval_goes_on_in_the_child():
    with lib.Directory() as d:
        process, pids = two_idle(d, PPROFC_INTERVAL=1, PPROFC_PROFILES="cpu")
        try:
            for who in pids:
                for number in (1, 2):
                    lib.wait_for(
                        lambda: [f for f in lib.profiles(d, "cpu") if f.name ==
                                 f"forks.{pids[who]}.cpu.{number}.pb.gz"],
                        f"dump {number} of the {who}")
        finally:
            lib.end(process)


def system_calls(pid):
    """The numbers of those that its threads are in."""
    return [(t / "syscall").read_text().split()[0]
            for t in pathlib.Path(f"/proc/{pid}/task").iterdir()]


@case
def fatal_signal_while_a_fork_waits_for_stdio():
    with lib.Directory() as d:
        process = lib.start([lib.target("forks"), "stuck"], d)
        try:
            # write(2) and futex(2): main owns the lock, the fork waits for it.
            lib.wait_for(lambda: system_calls(process.pid) == ["1", "202"],
                         "fork that waits")
            process.terminate()
            expect_equal(process.wait(timeout=20), -signal.SIGTERM, "status")
            found = lib.profiles(d, "cpu")
            expect_equal(len(found), 1, "CPU profiles")
            work = lib.Profile(found[0]).total("cpu") / 1e6
            expect(30 <= work <= 90, f"{work} ms of CPU time, used 50")
        finally:
            lib.end(process)


@case
def fork_does_not_wait_for_a_report():
    strace = lib.command("strace", "strace")
    with lib.Directory() as d:
        result = lib.run(
            [strace, "-f", "-o", "/dev/null", "-e", "trace=link,rename",
             "-e", "inject=link,rename:delay_enter=1000000:when=1", "-E",
             f"LD_PRELOAD={lib.LIBRARY}", "-E",
             f"PPROFC_OUTPUT={d}/profiles/", "-E", "PPROFC_HEAP_RATE=1", "-E",
             "PPROFC_PROFILES=heap", lib.target("forks"), "reporting"],
            d, preload=False)
        expect_equal((result.status, result.err), (0, b""), "status, stderr")
        slowest = re.fullmatch(rb"slowest (\d+)\n", result.out)
        expect(slowest, f"output {result.out}")
        lib.note(f"slowest fork: {int(slowest[1])} ms")
        expect(int(slowest[1]) < 500, f"a fork took {slowest[1]} ms")
        expect_equal([p.name.split(".", 2)[2] for p in result.profiles],
                     ["heap.1.pb.gz", "heap.pb.gz"], "profiles")


if __name__ == "__main__":
    lib.main()
