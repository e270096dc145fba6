#!/usr/bin/env python3
"""A signal that ends the program: profiles first, then the same end.

tests/targets/fatal.c holds 3 MB and ends as it is told to.
"""

import os
import re
import signal

import lib
from lib import case, expect, expect_equal

SENT = ("TERM INT HUP QUIT ABRT USR1 ALRM VTALRM XCPU XFSZ TRAP SYS SEGV BUS "
        "FPE ILL PIPE").split()
# No profile, but the same end.
LEFT_ALONE = "PROF IO PWR STKFLT".split()


def argv(how, *more):
    return [lib.target("fatal"), how, *map(str, more)]


def same(command, **env):
    """Run without and with the library; the same output and status."""
    with lib.Directory() as d:
        plain = lib.run(command, d, preload=False)
    with lib.Directory() as d:
        ours = lib.run(command, d, env={
            "PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": 1, **env})
        lib.expect_same(plain, ours)
        check_profile(ours)
        return ours


def check_profile(result):
    expect_equal(len(result.profiles), 1, "profiles")
    heap = lib.Profile(result.profiles[0])
    expect_equal(heap.cum("inuse_space")["hold"], 3000000, "bytes held")


def ends_alike(command):
    """The same for an end that leaves no profile."""
    with lib.Directory() as d:
        plain = lib.run(command, d, preload=False)
    with lib.Directory() as d:
        ours = lib.run(command, d)
        lib.expect_same(plain, ours)
        expect_equal(ours.profiles, [], "profiles")


def ends_by(name, *how, **env):
    ours = same(argv(*how), **env)
    expect_equal(ours.status, -getattr(signal, "SIG" + name), "status")


@case
def every_signal_that_is_sent():
    for name in SENT:
        ends_by(name, "kill", int(getattr(signal, "SIG" + name)))
        ends_by(name, "raise", int(getattr(signal, "SIG" + name)))


@case
def user_signal_two_where_it_is_not_the_dump_signal():
    ends_by("USR2", "raise", int(signal.SIGUSR2), PPROFC_SIGNAL="none")


@case
def other_signals_end_it_without_a_profile():
    for name in LEFT_ALONE:
        ends_alike(argv("raise", int(getattr(signal, "SIG" + name, 16))))


@case
def signal_that_only_sigsuspend_lets_in():
    for name in ("TERM", "QUIT", "ALRM", "SEGV"):
        ends_by(name, "sigsuspend", int(getattr(signal, "SIG" + name)))


@case
def faults():
    for name in "segv bus fpe ill trap sys".split():
        ends_by(name.upper(), name)
    ends_by("SEGV", "noncanonical")


@case
def abort_writes_once():
    ends_by("ABRT", "abort")
    # libc's own default action, behind a handler that returns.
    for how in ("abort_handled", "abort_handled_again"):
        ends_alike(argv(how))


@case
def broken_pipe_alarm_and_file_size():
    ends_by("PIPE", "pipe")
    ends_by("PIPE", "ignored")
    ends_by("ALRM", "alarm")
    ends_by("XFSZ", "file_size")


@case
def heap_is_broken():
    ends_by("SEGV", "bad_free")
    ends_by("ABRT", "double_free")


@case
def stack_overflow():
    ends_alike(argv("overflow"))  # there is nowhere to run a handler
    ends_by("SEGV", "overflow_with_stack")


@case
def handlers_of_the_program():
    expect_equal(same(argv("recovered")).status, 0, "status")
    ends_by("SEGV", "handled_then_default")


@case
def exit_does_not_get_ahead_of_a_fault():
    for _ in range(5):
        with lib.Directory() as d:
            result = lib.run(argv("exit_behind_fault"), d, env={
                "PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": 1})
            expect_equal(result.status, -signal.SIGSEGV, "status")
            expect_equal(len(result.profiles), 1, "profiles")


@case
def many_threads_fault_at_once():
    for _ in range(5):
        ends_by("SEGV", "many_faults")


@case
def children_that_are_not_ours():
    for how in ("vfork_child", "raw_child"):
        expect_equal(same(argv(how)).status, 0, "status")


# --- what a debugger sees ------------------------------------------------------

def traced(command, preload):
    """The last signal and the end, as strace shows them."""
    strace = lib.command("strace", "strace")
    with lib.Directory() as d:
        env = ["-E", f"LD_PRELOAD={lib.LIBRARY}", "-E",
               f"PPROFC_OUTPUT={d}/profiles/"] if preload else []
        lib.run([strace, "-o", d / "trace", "-e", "trace=none", *env,
                 *command], d, preload=False)
        lines = (d / "trace").read_text().splitlines()
        return [re.sub(r"(0x)?[0-9a-f]{8,}|si_pid=\d+", "X", line)
                for line in lines if line[:3] in ("---", "+++")][-2:]


@case
def siginfo_is_as_without_us():
    for how in ("segv noncanonical bus fpe ill trap sys abort pipe".split()
                + ["queue 15", "queue 11", "kill 3"]):
        command = argv(*how.split())
        expect_equal(traced(command, True), traced(command, False), how)


def processes_seen(command, preload):
    """How many processes and threads strace -f gets to see."""
    strace = lib.command("strace", "strace")
    with lib.Directory() as d:
        env = ["-E", f"LD_PRELOAD={lib.LIBRARY}", "-E",
               f"PPROFC_OUTPUT={d}/profiles/"] if preload else []
        lib.run([strace, "-f", "-q", "-o", d / "trace", *env, *command], d,
                preload=False)
        lines = (d / "trace").read_text().splitlines()
        return len({line.split()[0] for line in lines})


@case
def child_that_tries_an_inherited_filter_is_not_seen():
    command = [lib.BUILD / "hostile" / "confiner", "logged"]
    expect_equal(processes_seen(command, True),
                 processes_seen(command, False), "processes")


def core(command, preload):
    """Where the program is in its core: frames and registers."""
    gdb = lib.command("gdb", "gdb")
    with lib.Directory() as d:
        env = {"PPROFC_OUTPUT": f"{d}/profiles/"} if preload else {}
        lib.run(["sh", "-c", 'cd "$0" && ulimit -c unlimited && exec "$@"',
                 str(d), *command], d, preload=preload, env=env)
        cores = list(d.glob("core*"))
        if not cores:
            return None
        shown = lib.run(
            [gdb, "-nx", "-batch", "-ex", "bt", "-ex", "p $_siginfo.si_code",
             command[0], cores[0]], d, preload=False).out.decode()
        return re.findall(r"^(?:#\d.*|\$.*)$", shown, re.M)


@case
def core_is_of_the_place_of_the_fault():
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as f:
        if not f.read().startswith("core") or os.geteuid() != 0:
            lib.note("cores do not go to the working directory: skipped")
            return
    for how in ("segv", "trap", "abort", "kill 3"):
        command = argv(*how.split())
        plain = [re.sub("0x[0-9a-f]+", "X", line)
                 for line in core(command, False) or []]
        ours = [re.sub("0x[0-9a-f]+", "X", line)
                for line in core(command, True) or []]
        expect(any("main" in line for line in plain), f"no core: {plain}")
        expect_equal(ours, plain, how)


if __name__ == "__main__":
    lib.main()
