#!/usr/bin/env python3
"""Calls that sleep are not ended by asking for a profile.

tests/targets/patient.c makes one call that signals end with EINTR, whatever
SA_RESTART says, in its only thread; it is asked all the while, by signal or by
command.
"""

import os
import select
import signal
import subprocess
import time

import lib
from lib import case, expect, expect_equal

LIMITED = ["poll", "ppoll", "select", "pselect", "epoll_wait", "epoll_pwait",
           "epoll_pwait2", "nanosleep", "clock_nanosleep",
           "clock_nanosleep_until", "thrd_sleep", "usleep", "sleep",
           "sem_timedwait", "sem_clockwait", "sigtimedwait"]
UNLIMITED = ["sigwaitinfo", "sigsuspend", "pause"]
AT_LIMIT = {"sem_timedwait": "-1 ETIMEDOUT", "sem_clockwait": "-1 ETIMEDOUT",
            "sigtimedwait": "-1 EAGAIN"}
MASKED = ["ppoll", "pselect", "epoll_pwait", "epoll_pwait2", "sigsuspend"]


def start(directory, *words, **env):
    process = lib.start(
        [lib.target("patient"), *words], directory,
        env={"PPROFC_PROFILES": "heap,threads", **env},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    expect_equal(process.stdout.readline(), b"ready\n", "first line")
    return process


def is_asleep(pid):
    """In the state of having ended, too."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0] in "SZ"


def finish(process):
    """What the call returned, errno, handlers run, ms."""
    out, err = process.communicate(timeout=20)
    expect_equal(process.returncode, 0, f"status ({err[-200:]})")
    *result, handled, ms = out.decode().split()
    return " ".join(result), int(handled), int(ms)


def ask_by_signal(process):
    lib.wait_for(lambda: is_asleep(process.pid), "sleep")
    process.send_signal(signal.SIGUSR2)


def ask_by_command(process):
    lib.wait_for(lambda: is_asleep(process.pid), "sleep")
    done = subprocess.run(
        [lib.BUILD / "pprofc", "threads", "--names", str(process.pid)],
        env=lib.environment(False), stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def each(calls, test, **env):
    for call in calls:
        with lib.Directory() as d:
            process = None
            try:
                process = start(d, call, test.__doc__, **env)
                test(call, process)
            finally:
                if process:
                    lib.end(process)
                    process.communicate()


def until_the_limit(call, process):
    """limited"""
    asked = 0
    while process.poll() is None and asked < 1000:
        ask_by_signal(process)
        asked += 1
        time.sleep(0.01)
    result, handled, ms = finish(process)
    expect_equal((result, handled), (AT_LIMIT.get(call, "0 0"), 0), call)
    limit = 1000 if call == "sleep" else 400
    expect(limit <= ms < limit + 400, f"{call} took {ms} ms of {limit}")
    expect(asked > 5, f"{call} was asked {asked} times")


def until_a_signal_of_the_hosts(call, process):
    """long"""
    for _ in range(5):
        ask_by_signal(process)
        time.sleep(0.01)
    expect(ask_by_command(process), f"{call}: the command was not answered")
    lib.wait_for(lambda: is_asleep(process.pid), "sleep")
    process.send_signal(signal.SIGUSR1)
    result, handled, _ = finish(process)
    expect_equal((result, handled), ("-1 EINTR", 1), call)


def each_signal_of_the_hosts_ends_one_call(call, process):
    """storm"""
    for i in range(400):
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGUSR2)
        ready, _, _ = select.select([process.stdout], [], [], 10)
        expect(ready, f"{call}: signal {i + 1} ended no call")
        expect_equal(os.read(process.stdout.fileno(), 2), b"+\n", call)
        process.send_signal(signal.SIGUSR2)
    out, err = process.communicate(timeout=20)
    expect_equal((process.returncode, out), (0, b""), f"{call} ({err[-200:]})")


@case
def asked_until_the_time_is_over():
    each(LIMITED, until_the_limit)


@case
def asked_until_the_time_is_over_with_waits_recorded():
    each(LIMITED, until_the_limit, PPROFC_PROFILES="block,heap",
         PPROFC_BLOCK="all")


@case
def a_signal_of_the_hosts_ends_the_call():
    each(LIMITED + UNLIMITED, until_a_signal_of_the_hosts)


@case
def signals_of_both_at_once():
    each(MASKED, each_signal_of_the_hosts_ends_one_call)


if __name__ == "__main__":
    lib.main()
