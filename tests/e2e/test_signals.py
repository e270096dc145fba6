#!/usr/bin/env python3
"""Signals mean to the program what they mean without us, and ours work.

tests/targets/signals.c prints what it sees of its dispositions and masks.
"""

import os
import pathlib
import re
import signal
import subprocess

import lib
from lib import case, expect, expect_equal

TIMER = 64  # SIGRTMAX of a program without us


def same(what, **env):
    """Run without and with the library; the same output. Returns both."""
    with lib.Directory() as d:
        plain = lib.run([lib.target("signals"), what], d, preload=False)
    with lib.Directory() as d:
        ours = lib.run([lib.target("signals"), what], d, env=env)
    lib.expect_same(plain, ours)
    return plain, ours


@case
def dispositions_read_back_as_the_program_set_them():
    same("dispositions")


@case
def dispositions_with_a_toggle_signal():
    same("dispositions", PPROFC_TOGGLE_SIGNAL="USR1")


@case
def masks_are_inherited_and_pending_signals_seen():
    same("masks")


@case
def vfork_child_changes_only_its_own_dispositions():
    same("vfork")


@case
def child_by_raw_fork_dies_by_default_actions():
    same("raw_fork")


@case
def claimed_timer_signal_is_the_programs():
    same("claim")


@case
def no_signal_is_left_for_timers():
    with lib.Directory() as d:
        ours = lib.run([lib.target("signals"), "claim_last"], d,
                       env={"PPROFC_CPU_HZ": 250})
        expect_equal(ours.out, b"seen 0, child 0\n", "output")
        for path in lib.profiles(d, "cpu"):
            cum = lib.Profile(path).cum("cpu")
            expect(cum["[thread end]"] >= 280e6, f"at the end: {cum}")


@case
def waits_are_not_interrupted():
    _, ours = same("waits", PPROFC_CPU_HZ=250)
    expect_equal(ours.out, b"interrupted 0\n", "output")


@case
def timer_signal_is_never_blocked():
    def blocked(result):
        return int(result.out.split()[1], 16)

    with lib.Directory() as d:
        plain = lib.run([lib.target("signals"), "kernel_masks"], d,
                        preload=False)
    with lib.Directory() as d:
        ours = lib.run([lib.target("signals"), "kernel_masks"], d)
    expect_equal(blocked(plain) ^ blocked(ours), 1 << (TIMER - 1),
                 "difference of the kernel's masks")


# --- what the kernel knows of a process -------------------------------------

def caught(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    word = int(re.search(r"^SigCgt:\t([0-9a-f]+)", status, re.M)[1], 16)
    return {s for s in range(1, 65) if word >> (s - 1) & 1}


def handlers(**env):
    with lib.Directory() as d:
        process = lib.start([lib.target("signals"), "idle"], d, env=env,
                            stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            return caught(process.pid)
        finally:
            lib.end(process)


ENDS = {getattr(signal, "SIG" + name) for name in (
    "TERM INT HUP QUIT ABRT USR1 USR2 ALRM VTALRM XCPU XFSZ TRAP SYS SEGV BUS "
    "FPE ILL PIPE").split()}


@case
def off_means_no_handler():
    expect_equal(handlers(PPROFC_PROFILES="none"), set(), "handlers")
    expect_equal(handlers(PPROFC_PROFILES="none", PPROFC_SIGNAL="USR1"),
                 {signal.SIGUSR1}, "handlers")
    expect_equal(handlers(PPROFC_PROFILES="heap", PPROFC_SIGNAL="none"), ENDS,
                 "handlers")
    expect_equal(handlers(PPROFC_PROFILES="cpu", PPROFC_SIGNAL="none"),
                 ENDS | {TIMER}, "handlers")
    for env in ({"PPROFC_PROFILES": "cpu"}, {"PPROFC_HEAP_RATE": 0}):
        expect_equal(handlers(**env), ENDS | {TIMER}, f"handlers with {env}")


@case
def named_signal_without_a_heap_profile_is_answered():
    with lib.Directory() as d:
        log = d / "log"
        process = lib.start(
            [lib.target("signals"), "idle"], d, stdout=subprocess.PIPE,
            env={"PPROFC_PROFILES": "cpu", "PPROFC_SIGNAL": "USR2",
                 "PPROFC_LOG": log})
        try:
            process.stdout.readline()
            process.send_signal(signal.SIGUSR2)
            lib.wait_for(lambda: log.exists() and "no heap profile is being "
                         "made" in log.read_text(), "a line in the log")
            expect_equal(process.poll(), None, "status")
        finally:
            lib.end(process)


@case
def dormant_program_survives_the_named_signal_only():
    for name, status in (("USR1", None), ("USR2", -signal.SIGUSR2)):
        with lib.Directory() as d:
            process = lib.start(
                [lib.target("signals"), "idle"], d, stdout=subprocess.PIPE,
                env={"PPROFC_PROFILES": "none", "PPROFC_SIGNAL": "USR1"})
            try:
                process.stdout.readline()
                os.kill(process.pid, getattr(signal, "SIG" + name))
                if status is None:
                    process.terminate()
                    status = -signal.SIGTERM
                expect_equal(process.wait(timeout=20), status, name)
            finally:
                lib.end(process)


# --- children inherit nothing -------------------------------------------------

def child_status(preload):
    """Masks, dispositions and descriptors of an exec'd program."""
    with lib.Directory() as d:
        result = lib.run(
            ["python3", "-c",
             "import subprocess, signal\n"
             "x = [0] * 300000\n"
             "signal.pthread_sigmask(signal.SIG_BLOCK, {34, 40})\n"
             "subprocess.run(['sh', '-c', 'grep ^Sig /proc/self/status;"
             " ls /proc/self/fd; env | grep -c pprofc'],"
             " restore_signals=False)"], d, preload=preload,
            env={"PPROFC_FOLLOW": "no", "PPROFC_OUTPUT": f"{d}/profiles/"}
            if preload else {})
        expect_equal(result.status, 0, "status")
        return result.out


@case
def children_inherit_no_mask_handler_or_descriptor():
    plain = child_status(False)
    ours = child_status(True)
    # PPROFC_OUTPUT is in its environment, our LD_PRELOAD is not.
    drop = [(rb"SigQ:.*\n", b""), (rb"\n\d+\n$", b"\n")]
    expect_equal(lib.masked(ours, drop), lib.masked(plain, drop),
                 "what the child sees")


# --- dumps ----------------------------------------------------------------------

def in_use(path, name):
    return lib.Profile(path).cum("inuse_space")[name]


def number(path):
    return int(path.name.split(".")[-3])


def dumps_come(what):
    with lib.Directory() as d:
        process = lib.start([lib.target("signals"), what], d,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env={"PPROFC_HEAP_RATE": 1,
                                 "PPROFC_PROFILES": "heap"})
        try:
            expect_equal(process.stdout.readline(), b"ready\n", "output")
            lib.wait_for(lambda: len(lib.threads_of(process.pid)) == 1,
                         "end of the reporter")
            found = sorted(lib.profiles(d, "heap"), key=number)
            expect(found, "no snapshot")
            expect_equal([number(f) for f in found],
                         list(range(1, len(found) + 1)), "numbers")
            expect_equal(in_use(found[-1], "hold_piece"), 50 * 100000,
                         "in use in the last snapshot")
            sizes = [in_use(f, "hold_piece") for f in found]
            expect_equal(sizes, sorted(sizes), "sizes in order")
            process.communicate(b"x", timeout=20)
        finally:
            lib.end(process)
        expect_equal(process.returncode, 0, "status")
        return len(found)


@case
def dumps_coalesce_but_none_is_lost():
    for _ in range(5):
        dumps_come("dumps")


@case
def dumps_where_no_thread_can_be_started():
    # Each is written in the handler, so none coalesces.
    expect_equal(dumps_come("dumps_without_clone"), 50, "snapshots")


@case
def reports_do_not_need_the_programs_stack():
    with lib.Directory() as d:
        result = lib.run([lib.target("signals"), "dump_on_small_stack"], d,
                         env={"PPROFC_HEAP_RATE": 1,
                              "PPROFC_PROFILES": "heap"})
        expect_equal(result.status, -signal.SIGTERM, "status")
        expect_equal(result.out, b"dumped\n", "output")
        expect_equal(len(result.profiles), 2, "profiles")
        for path in result.profiles:
            expect_equal(in_use(path, "hold_piece"), 100000, path.name)


@case
def samples_fit_into_a_small_alternate_stack():
    for log in ("none", "/dev/null"):
        same("samples_on_small_stack", PPROFC_CPU_HZ=250, PPROFC_LOG=log,
             PPROFC_SESSION="auto")


@case
def no_samples_on_a_stack_that_is_too_small():
    same("too_small_stack")
    with lib.Directory() as d:
        result = lib.run([lib.target("signals"), "too_small_stack"], d,
                         env={"PPROFC_PROFILES": "cpu"})
        expect_equal((result.status, result.out), (0, b"child 0 parent 0\n"),
                     "status and output")
        found = [lib.Profile(p) for p in result.profiles]
        both = [(p.flat("cpu")["[thread end]"] / 1e6,
                 p.cum("cpu")["burn_until"] / 1e6) for p in found]
        both.sort(key=lambda pair: pair[1])
        expect_equal(len(both), 2, f"profiles: {both}")
        for ended, _ in both:
            expect(250 <= ended <= 350, f"[thread end] has {ended} ms of 300")
        expect(both[0][1] == 0 and 150 <= both[1][1] <= 250,
               f"samples of burn_until: {both}, expected 0 and 200 ms")


@case
def program_that_handles_the_dump_signal_keeps_it():
    with lib.Directory() as d:
        log = d / "log"
        result = lib.run([lib.target("signals"), "own"], d,
                         env={"PPROFC_LOG": log, "PPROFC_HEAP_RATE": 1})
        expect_equal(result.out, b"seen 12\n", "output")
        expect(not any(".heap.1." in f.name for f in result.profiles),
               "a snapshot was written")
        expect("handles signal 12 itself" in log.read_text(),
               f"log: {log.read_text()}")


@case
def fatal_signal_keeps_its_sender():
    lib.command("strace", "strace")
    with lib.Directory() as d:
        trace = d / "trace"
        process = lib.start(
            ["strace", "-f", "-o", trace, "-e", "trace=none", "-E",
             f"LD_PRELOAD={lib.LIBRARY}", "-E",
             f"PPROFC_OUTPUT={d}/profiles/", lib.target("signals"), "idle"],
            d, preload=False, stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            child = int(trace.read_text().split()[0]) if trace.exists() and \
                trace.read_text() else child_of(process.pid)
            os.kill(child, signal.SIGTERM)
            expect_equal(process.wait(timeout=20), -signal.SIGTERM, "status")
        finally:
            lib.end(process)
        lines = [l for l in trace.read_text().splitlines() if "SIGTERM {" in l]
        expect(len(lines) == 2, f"it got {lines}")
        expect("si_code=SI_USER" in lines[1] and
               f"si_pid={os.getpid()}" in lines[1], f"last: {lines[1]}")


def child_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
               .split()[0])


if __name__ == "__main__":
    lib.main()
