"""hosting.py - session_host.c, whose session somebody else reads: it stays
while it waits for the end of its input, and after it was killed."""

import contextlib
import signal
import subprocess

import lib
from lib import expect_equal


def host(place, made=1000, freed=300, size=12345, ms=200, env=None):
    """session_host after its work, waiting for the end of its input."""
    variables = {"PPROFC_HEAP_RATE": 1}
    variables.update(env or {})
    process = place.start(
        [lib.target("session_host"), made, freed, size, ms],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
    try:
        expect_equal(process.stdout.readline(), b"ready\n", "first line")
    except BaseException:
        lib.end(process)
        raise
    return process


def finish(process):
    lib.end(process)
    process.stdin.close()
    process.stdout.close()


def kill(process, sig=signal.SIGKILL):
    process.send_signal(sig)
    process.wait(20)


@contextlib.contextmanager
def hosted(place, *work, **how):
    """host(), which is ended at the end."""
    process = host(place, *work, **how)
    try:
        yield process
    finally:
        finish(process)
