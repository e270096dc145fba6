"""lib.py - what every end-to-end test shares: running and comparing programs.

Programs run in a fresh directory, with and without the library. A test file
registers functions with @case and ends in main(); each case prints one line,
`ok - NAME` or `not ok - NAME: reason`. Tests import this module alone: it
offers the names of harness.py and reading.py as well.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from harness import (  # noqa: F401  (offered to the tests)
    BUILD, LIBRARY, LONG, ROOT, Directory, Failure, case, environment, expect,
    expect_equal, main, note, threads_of, wait_for)
from reading import (  # noqa: F401
    Frame, Location, Mapping, Profile, Sample, decode, expect_hot, name_of,
    pprof, top, traces)

Result = collections.namedtuple(
    "Result", "status out err profiles cpu_s wall_s directory")


def start(argv, directory, preload=True, env=None, **popen):
    """Start a program in directory; its profiles go to directory/profiles."""
    directory = pathlib.Path(directory)
    work = directory / "work"
    output = directory / "profiles"
    work.mkdir(exist_ok=True)
    output.mkdir(exist_ok=True)
    popen.setdefault("stdin", subprocess.DEVNULL)
    popen.setdefault("cwd", work)
    return subprocess.Popen(
        [str(a) for a in argv], env=environment(preload, env, output),
        start_new_session=True, **popen)


def end(process):
    """End a process we started, and what it started (its own session)."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(argv, directory, preload=True, env=None, stdin=b"", timeout=120):
    """Run to the end. Returns a Result; a timeout is a Failure."""
    directory = pathlib.Path(directory)
    before = os.times()
    began = time.monotonic()
    process = start(argv, directory, preload, env, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        raise Failure(f"{argv[0]} did not end in {timeout} s") from None
    finally:
        end(process)
    after = os.times()
    cpu_s = (after.children_user - before.children_user
             + after.children_system - before.children_system)
    return Result(process.returncode, out, err, profiles(directory), cpu_s,
                  time.monotonic() - began, directory)


def profiles(directory, kind=None):
    """The finished profile files, sorted by name."""
    found = sorted((pathlib.Path(directory) / "profiles").glob("*.pb.gz"))
    if kind:
        found = [f for f in found if f".{kind}." in f.name]
    return found


def profile_of(result, kind, program=None):
    """The one exit profile of a kind (of a program, if several ran)."""
    found = profiles(result.directory, kind)
    if program:
        found = [f for f in found if f.name.startswith(program + ".")]
    expect(len(found) == 1,
           f"{len(found)} {kind} profiles of {program or 'the program'}, "
           f"expected 1, in {[f.name for f in result.profiles]}; stderr: "
           f"{result.err[-300:].decode(errors='replace')}")
    return found[0]


def masked(text, masks):
    """Bytes with every match of each (pattern, replacement) replaced."""
    for pattern, replacement in masks:
        text = re.sub(pattern, replacement, text)
    return text


def expect_same(plain, preloaded, masks=()):
    """stdout, stderr and status agree byte by byte but for masked fields."""
    expect_equal(preloaded.status, plain.status, "status with the library")
    for name in ("out", "err"):
        a = masked(getattr(plain, name), masks)
        b = masked(getattr(preloaded, name), masks)
        if a != b:
            raise Failure(f"std{name}: {first_difference(a, b)}")


def first_difference(a, b):
    lines = max(a.count(b"\n"), b.count(b"\n")) + 1
    for i, (x, y) in enumerate(zip(a.split(b"\n") + [b""] * lines,
                                   b.split(b"\n") + [b""] * lines)):
        if x != y:
            return f"line {i + 1} is {y[:200]!r}, without {x[:200]!r}"
    return "differs"


def command(name, package):
    """The path of a program this test cannot do without."""
    path = shutil.which(name)
    expect(path, f"{name} is missing: apt-get install {package}")
    return path


def target(name):
    """A test program built by make from tests/targets."""
    path = BUILD / "targets" / name
    expect(path.exists(), f"{path} is missing: run make")
    return path


def build(directory, source, name, *flags):
    """Compile one source of tests/ into directory; returns the result."""
    source = ROOT / "tests" / source
    compiler = "g++" if source.suffix == ".cc" else "gcc"
    result = pathlib.Path(directory) / name
    subprocess.run(
        [compiler, "-O2", "-g", "-o", str(result), str(source), *flags],
        check=True, stdin=subprocess.DEVNULL, env=environment(False))
    return result
