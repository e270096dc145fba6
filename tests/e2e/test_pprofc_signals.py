#!/usr/bin/env python3
"""pprofc run: signals, the terminal and stopping reach the command as if it had
been started without.
"""

import os
import pty
import re
import signal
import subprocess
import time

import lib
from command import COMMAND, PYTHON, harmless_library, make_environment
from lib import Failure, case, expect, expect_equal

# --- signals -------------------------------------------------------------

# Says which signals it gets, and ends with status 6 after SIGTERM.
COUNTER = r"""
import os, signal, sys
ended = []
def handler(number, frame):
    os.write(1, b"got %d\n" % number)
    if number == 15:
        ended.append(1)
for s in (1, 2, 3, 10, 12, 14, 15, signal.SIGRTMIN + 4):
    signal.signal(s, handler)
os.write(1, b"ready %d\n" % os.getpid())
while not ended:
    signal.pause()
sys.exit(6)
"""


def read_until(read, pattern):
    """Output until it matches; bounded by the test's own limit."""
    data = b""
    limit = time.monotonic() + 30
    while not re.search(pattern, data):
        expect(time.monotonic() < limit, f"no {pattern} in {data}")
        try:
            more = read()
        except OSError:
            more = b""
        if not more:
            raise Failure(f"no {pattern} in {data}")
        data += more
    return data


def start_counter(scratch, *options):
    process = subprocess.Popen(
        [str(COMMAND), "run", *options, PYTHON, "-I", "-c", COUNTER],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=scratch,
        env=make_environment({}, harmless_library()), start_new_session=True)
    read_until(lambda: os.read(process.stdout.fileno(), 4096), rb"ready \d+\n")
    return process


def signals_got(data):
    return [int(n) for n in re.findall(rb"got (\d+)", data)]


@case
def signals_sent_to_us_reach_the_command_once():
    """TERM comes last, after the others were seen: a signal passed on twice
    would be seen before it."""
    wanted = [1, 2, 3, 10, 12, 14, int(signal.SIGRTMIN + 4), 15]
    with lib.Directory() as scratch:
        process = start_counter(scratch, "-q", "--signal=RTMIN+4")
        data = b""
        try:
            for sig in wanted:
                os.kill(process.pid, sig)
                data += read_until(
                    lambda: os.read(process.stdout.fileno(), 4096),
                    b"got %d\n" % sig)
            out, err = process.communicate(timeout=30)
        finally:
            lib.end(process)
    expect_equal(signals_got(data + out), wanted, "signals")
    expect_equal((process.returncode, err), (6, b""), "status and stderr")


def on_terminal(argv):
    """Start argv in a session of its own on a new terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir("/tmp")
            os.execve(argv[0], argv, make_environment(
                {}, harmless_library()))
        finally:
            os._exit(99)
    return pid, terminal


def wait_for(pid, flags=0):
    """waitpid with a limit; the event is awaited, not a time."""
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        done, status = os.waitpid(pid, flags | os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise Failure("pprofc did not end or stop")


@case
def interrupt_key_reaches_the_command_once():
    pid, terminal = on_terminal(
        [str(COMMAND), "run", "-q", PYTHON, "-I", "-c", COUNTER])
    try:
        read_until(lambda: os.read(terminal, 4096), rb"ready \d+")
        # pprofc must not get its SIGINT before the command is done with its
        # own: two that are pending at once would look like one.
        os.kill(pid, signal.SIGSTOP)
        wait_for(pid, os.WUNTRACED)
        os.write(terminal, b"\x03")
        out = read_until(lambda: os.read(terminal, 4096), rb"got 2\r\n")
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
        out += read_until(lambda: os.read(terminal, 4096), rb"got 15\r\n")
        status = wait_for(pid)
    finally:
        os.close(terminal)
    expect_equal(signals_got(out), [2, 15], "signals")
    expect_equal(os.waitstatus_to_exitcode(status), 6, "status")


@case
def stopping_the_group_stops_us_too():
    pid, terminal = on_terminal(
        [str(COMMAND), "run", "-q", PYTHON, "-I", "-c", COUNTER])
    try:
        # Not by ^Z: the only group of a session is an orphan, which the
        # kernel does not stop that way.
        out = read_until(lambda: os.read(terminal, 4096), rb"ready \d+")
        child = int(re.search(rb"ready (\d+)", out).group(1))
        expect_equal(os.getpgid(child), pid, "group of the command")
        os.killpg(pid, signal.SIGSTOP)
        status = wait_for(pid, os.WUNTRACED)
        expect(os.WIFSTOPPED(status), f"pprofc is not stopped: {status}")
        os.killpg(pid, signal.SIGCONT)
        os.kill(child, signal.SIGTERM)
        status = wait_for(pid)
    finally:
        os.close(terminal)
    expect_equal(os.waitstatus_to_exitcode(status), 6, "status")


lib.main()
