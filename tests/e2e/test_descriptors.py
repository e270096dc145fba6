#!/usr/bin/env python3
"""What the library writes, opens and closes is never at the host's expense.

Descriptors, files and record locks stay as without us, and no write of ours
raises a signal.
"""

import os
import resource
import signal
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


if __name__ == "__main__":
    lib.main()
