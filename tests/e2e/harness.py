"""harness.py - cases and their results, waiting, directories, environments."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / (os.environ.get("PPROFC_BUILD") or "build")
LIBRARY = BUILD / "libpprofc.so"
LONG = os.environ.get("PPROFC_TEST_LONG", "") not in ("", "0")


class Failure(Exception):
    """The reason printed behind `not ok`."""


def expect(condition, reason):
    if not condition:
        raise Failure(reason)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what} is {got!r}, expected {wanted!r}")


_cases = []


def case(function):
    _cases.append(function)
    return function


def main():
    """Run the cases whose name contains one of argv's words (none: all)."""
    words = sys.argv[1:]
    failed = 0
    for function in _cases:
        name = function.__name__
        if words and not any(word in name for word in words):
            continue
        try:
            function()
            print(f"ok - {name}", flush=True)
        except (Failure, OSError, subprocess.SubprocessError) as e:
            failed += 1
            reason = " | ".join(str(e).splitlines())
            print(f"not ok - {name}: {reason}", flush=True)
    sys.exit(1 if failed else 0)


def note(text):
    """A line for the reader of a log; no test result."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def wait_for(condition, what, seconds=20.0):
    """Poll until condition() is true; a Failure after the time given."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < deadline, f"no {what} after {seconds} s")
        time.sleep(0.002)


def threads_of(pid):
    return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))


class Directory:
    """A fresh directory, removed when the with block ends."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="pprofc-e2e."))
        return self.path

    def __exit__(self, *unused):
        shutil.rmtree(self.path, ignore_errors=True)


def environment(preload, variables=None, output=None):
    """The caller's environment without PPROFC_* and LD_PRELOAD, plus ours.

    Profiles get names only, so that nothing works on after the program: who
    wants the default says PPROFC_SYMBOLS=lines."""
    env = {
        k: v for k, v in os.environ.items()
        if not k.startswith("PPROFC_") and k != "LD_PRELOAD"
    }
    env["LC_ALL"] = "C"
    env["PPROFC_SYMBOLS"] = "names"
    if preload:
        env["LD_PRELOAD"] = str(LIBRARY)
        env["PPROFC_OUTPUT"] = str(output) + "/"
    env.update({k: str(v) for k, v in (variables or {}).items()})
    return env
