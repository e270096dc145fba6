#!/usr/bin/env python3
"""What the library writes, opens and closes is never at the host's expense.

Descriptors, files and record locks stay as without us, and no write of ours
raises a signal.
"""

import fcntl
import os
import resource
import shutil
import signal
import struct
import subprocess

import lib
from lib import case, expect, expect_equal

HOST = [lib.target("session_host"), 1000, 0, 100, 0]


def run_host(directory, env, argv=None, **popen):
    """(status, stdout) of a program that works a little and ends."""
    process = lib.start(argv or HOST, directory, stdout=subprocess.PIPE,
                        env={"PPROFC_HEAP_RATE": 1, **env}, **popen)
    try:
        out = process.communicate(timeout=60)[0]
    finally:
        lib.end(process)
    return process.returncode, out


def no_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


# --- writes that raise signals ------------------------------------------------


@case
def log_beyond_the_file_limit_ends_nobody():
    with lib.Directory() as d:
        status, out = run_host(d, {"PPROFC_LOG": d / "log"},
                               preexec_fn=no_files)
        expect_equal((status, out), (0, b"ready\n"), "status and output")
        expect_equal((d / "log").read_bytes(), b"", "the log")


@case
def run_command_under_a_file_limit_ends_nobody():
    with lib.Directory() as d:
        status, out = run_host(
            d, {}, [lib.BUILD / "pprofc", "run", "-q", *HOST], preload=False,
            preexec_fn=no_files)
        expect_equal((status, out), (0, b"ready\n"), "status and output")


@case
def log_that_reaches_the_file_limit_ends_nobody():
    def some_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))

    with lib.Directory() as d:
        (d / "log").write_bytes(b"x" * 39)
        status, out = run_host(d, {"PPROFC_LOG": d / "log"},
                               preexec_fn=some_room)
        expect_equal((status, out), (0, b"ready\n"), "status and output")
        expect((d / "log").stat().st_size <= 40, "the log grew too long")


def with_broken_stderr(directory, env):
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        # Python ignores SIGPIPE, and a child would, too.
        return run_host(directory, env, stderr=write_end,
                        preexec_fn=lambda: signal.signal(
                            signal.SIGPIPE, signal.SIG_DFL))
    finally:
        os.close(write_end)


@case
def bad_value_on_a_broken_stderr_ends_nobody():
    with lib.Directory() as d:
        status, out = with_broken_stderr(d, {"PPROFC_CPU_HZ": "bad"})
        expect_equal((status, out), (0, b"ready\n"), "status and output")


@case
def log_on_a_broken_stderr_ends_nobody():
    with lib.Directory() as d:
        status, out = with_broken_stderr(d, {"PPROFC_LOG": "stderr"})
        expect_equal((status, out), (0, b"ready\n"), "status and output")
        expect(lib.profiles(d, "heap"), "no heap profile")


@case
def log_goes_to_the_first_stderr_only():
    with lib.Directory() as d:
        first, second = d / "first", d / "second"
        with open(first, "wb") as stderr:
            status, out = run_host(
                d, {"PPROFC_LOG": "stderr"}, stderr=stderr)
        expect_equal((status, out), (0, b"ready\n"), "status and output")
        expect(b"pprofc[" in first.read_bytes(), "no log on stderr")
        with open(first, "wb") as stderr:
            status, out = run_host(
                d, {"PPROFC_LOG": "stderr"},
                [lib.target("fd_host"), "moves_stderr", second],
                stderr=stderr)
        expect_equal(status, 0, "status of fd_host")
        expect_equal(second.read_bytes(), b"", "the host's own file")


# --- the host's table ---------------------------------------------------------


def lowest_free(directory, *tracer):
    name = directory / "profiles" / "dump.heap.1.pb.gz"
    return run_host(
        directory,
        {"PPROFC_OUTPUT": directory / "profiles" / "dump.heap.%n.pb.gz",
         "PPROFC_PROFILES": "heap", "PPROFC_PROGRAM": "fd_host"},
        [*tracer, lib.target("fd_host"), "lowest_free", name])


@case
def lowest_free_descriptor_is_the_hosts_while_a_dump_runs():
    with lib.Directory() as d:
        status, out = lowest_free(d)
        expect_equal((status, out), (0, b"written right\n"), "fd_host")


def injecting(directory, *faults):
    """strace that makes system calls fail or last."""
    argv = [lib.command("strace", "strace"), "-f", "--seccomp-bpf", "-q",
            "-o", directory / "trace",
            "-e", "trace=" + ",".join(f.partition(":")[0] for f in faults)]
    for fault in faults:
        argv += ["-e", "inject=" + fault]
    return argv


@case
def lowest_free_descriptor_is_the_hosts_on_an_old_kernel():
    with lib.Directory() as d:
        status, out = lowest_free(
            d, *injecting(d, "close_range:error=ENOSYS"))
        expect_equal((status, out), (0, b"written right\n"), "fd_host")
        expect(b"INJECTED" in (d / "trace").read_bytes(), "nothing injected")


@case
def refused_descriptor_table_still_gives_a_profile():
    with lib.Directory() as d:
        status, out = lowest_free(d, *injecting(
            d, "close_range:error=EPERM", "unshare:error=EPERM"))
        expect_equal((status, out[:7]), (0, b"written"), "fd_host")
        expect(b"INJECTED" in (d / "trace").read_bytes(), "nothing injected")


def is_locked(path):
    """Does another process hold a record lock on the file?"""
    layout = "hhqqi4x"
    with open(path, "rb") as f:
        asked = struct.pack(layout, fcntl.F_WRLCK, 0, 0, 0, 0)
        told = fcntl.fcntl(f, fcntl.F_GETLK, asked)
    return struct.unpack(layout, told)[0] != fcntl.F_UNLCK


def lock_survives(env, dump=None, junk=None):
    """Runs fd_host locks_itself; dump(process, directory) makes a report."""
    with lib.Directory() as d:
        program = d / "locker"
        shutil.copy(lib.target("fd_host"), program)
        if junk:
            (d / junk).write_bytes(b"\0no program")
            (d / junk).chmod(0o755)
        process = lib.start(
            [program, "locks_itself", *([d / junk] if junk else [])], d, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={"PPROFC_HEAP_RATE": 1, **env})
        try:
            expect_equal(process.stdout.readline(), b"ready\n", "first line")
            if dump:
                expect(is_locked(program), "no lock before the dump")
                dump(process, d)
            expect(is_locked(program), "the record lock is gone")
            process.stdin.close()
            expect_equal(process.wait(30), 0, "status")
            expect(lib.profiles(d, "heap"), "no heap profile")
        finally:
            lib.end(process)
            process.stdin.close()
            process.stdout.close()


@case
def record_lock_on_the_program_survives_a_dump():
    def dump(process, directory):
        process.send_signal(signal.SIGUSR2)
        lib.wait_for(lambda: lib.profiles(directory, "heap"), "dump")

    lock_survives({"PPROFC_PROFILES": "heap"}, dump)


@case
def record_lock_on_the_program_survives_an_interval():
    def wait(process, directory):
        lib.wait_for(lambda: lib.profiles(directory, "heap"), "profile")

    lock_survives({"PPROFC_PROFILES": "heap", "PPROFC_INTERVAL": 1}, wait)


@case
def record_lock_on_the_program_survives_a_failing_exec():
    lock_survives({}, junk="junk")


# --- files of the host under our numbers --------------------------------------


def reopens(*faults):
    with lib.Directory() as d:
        own = d / "own"
        own.mkdir()
        status, out = run_host(
            d, {"PPROFC_PROFILES": "heap", "PPROFC_PROGRAM": "fd_host",
                "PPROFC_HEAP_RATE": 1 << 19, "PPROFC_SESSION": d},
            [*injecting(d, *faults), lib.target("fd_host"), "reopens", own])
        expect_equal((status, out), (0, b"0 lost or changed\n"), "fd_host")
        expect(b"DELAYED" in (d / "trace").read_bytes(), "nothing delayed")
        expect(lib.profiles(d, "heap"), "no heap profile")
        expect_equal(list(d.glob("*.session")), [], "session files left")


@case
def session_is_not_made_in_a_file_of_the_host():
    # Before the mapping is usable, before the file gets its size.
    reopens("munlock:delay_enter=20000", "ftruncate:delay_enter=20000",
            "truncate:delay_enter=20000")


@case
def descriptor_of_the_host_is_not_closed():
    reopens("munlock:delay_exit=20000", "ftruncate:delay_exit=20000",
            "truncate:delay_exit=20000")


if __name__ == "__main__":
    lib.main()
