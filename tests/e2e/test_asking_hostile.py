#!/usr/bin/env python3
"""A process whose session file is cut off, or locked for ever, while somebody
else reads it: one line and a status, never a signal, never a hang."""

import fcntl
import os
import signal
import subprocess

import lib
from hosting import finish, host
from killing import Place
from lib import case, expect, expect_equal

COMMANDS = (["threads"], ["dump"], ["recover", "--snapshot"],
            ["recover", "--list"], ["list"])


def start(command, what=()):
    return subprocess.Popen(
        [lib.BUILD / "pprofc", *command, *[str(w) for w in what]],
        env=lib.environment(False), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(command):
    out, err = (s.decode() for s in command.communicate(timeout=60))
    return command.returncode, out, err


def has_pending(pid):
    lines = dict(line.split(":\t") for line in open(
        f"/proc/{pid}/status", encoding="ascii") if ":\t" in line)
    return int(lines["SigPnd"], 16) | int(lines["ShdPnd"], 16)


def stopped_host(place):
    """Stopped in its read, where it blocks no signal. (Stopped, because what it
    records itself goes into the file that is cut off, too.)"""
    process = host(place, env={"PPROFC_PROFILES": "cpu,heap,threads"})
    (session,) = place.session_files()
    lib.wait_for(lambda: " S " in open(
        f"/proc/{process.pid}/stat", encoding="ascii").read(), "sleep")
    process.send_signal(signal.SIGSTOP)
    return process, session


@case
def cut_off_while_its_answer_is_awaited():
    for command in COMMANDS[:2]:
        with Place() as place:
            process, session = stopped_host(place)
            try:
                asking = start(command, [process.pid])
                lib.wait_for(lambda: has_pending(process.pid) or
                             asking.poll() is not None, "question")
                os.truncate(session, 0)
                expect_equal(ended(asking), (
                    1, "", f"pprofc: process {process.pid}: its session file "
                    "has been cut off\n"), f"what {command} says")
            finally:
                finish(process)


@case
def cut_off_before_it_is_read():
    for size in (0, 1000, 5000, 100000):
        with Place() as place:
            process, session = stopped_host(place)
            try:
                os.truncate(session, size)
                for command, what in zip(COMMANDS, (
                        [process.pid], [process.pid], [session], [session],
                        [])):
                    if size == 100000 and command in COMMANDS[:2]:
                        continue  # its head is there: it may answer
                    status, out, err = ended(start(command, what))
                    lines = err.splitlines()
                    listed = "list" in command[-1]
                    expect_equal(status, 0 if listed else 1,
                                 f"status of {command} at {size}: {err}")
                    expect(listed or len(lines) == 1, f"{command}: {err}")
                    expect(not out or listed, f"{command}: {out}")
            finally:
                finish(process)


@case
def lock_that_is_never_given_up():
    with Place() as place:
        process, session = stopped_host(place)
        try:
            with open(session, "rb") as kept:
                fcntl.flock(kept, fcntl.LOCK_EX)
                asking = start(["dump"], [process.pid])
                expect_equal(ended(asking), (
                    1, "", f"pprofc: process {process.pid} is being asked by "
                    "somebody else all the time\n"), "what is said")
            os.kill(process.pid, signal.SIGCONT)
            status, out, err = ended(start(["dump"], [process.pid]))
            expect_equal((status, err), (0, ""), "when it is free")
            expect(".heap." in out, out)
        finally:
            finish(process)


if __name__ == "__main__":
    lib.main()
