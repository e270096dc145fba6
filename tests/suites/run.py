#!/usr/bin/env python3
"""Real programs, with and without the library: one row a program.

A row is a script beside this file that drives programs of Debian packages and
prints what they do: their own test suites where they are packaged, else
what they do with signals, children, threads and files. Output, errors and
status must be the same with the library, but for what the row masks; every
profile must be complete, and nothing may be left behind.

The short form runs some rows with the default settings. The long form first
tries to install scripts/deps-suites.list, then runs all rows, each also with
every allocation and tick recorded.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.path.insert(0, str(HERE.parent / "hostile"))

import lib  # noqa: E402
import wire  # noqa: E402

SETTINGS = {"default": {}}
if lib.LONG:
    SETTINGS["every tick and allocation"] = {
        "PPROFC_CPU_HZ": 250, "PPROFC_HEAP_RATE": 1}
LIMIT_S = 600 if lib.LONG else 60
PPROFS = 10 if lib.LONG else 2  # so many of a run's are read by the real tool

# kills: programs in there are ended by SIGKILL, so that a session in /dev/shm
# or an unfinished profile stays behind. masks: (pattern, replacement).
Row = collections.namedtuple(
    "Row", "name packages argv long kills root masks",
    defaults=(False, False, False, ()))
Done = collections.namedtuple("Done", "status out err")

BASH_PIDS = (r"(line \d+:) +\d+ ", r"\1 PID ")  # of children killed by signals
PYTHON = "python3.11 libpython3.11-testsuite"


def python(name, modules, **more):
    return Row(name, PYTHON, ["/usr/bin/python3.11", "{here}/cpython.py",
                              *modules.split()], **more)


ROWS = [
    Row("bash", "bash", ["bash", "{here}/bash.sh"], kills=True,
        masks=[BASH_PIDS]),
    Row("perl", "perl", ["perl", "{here}/perl.pl"], kills=True),
    Row("git", "git", ["sh", "{here}/git.sh"]),
    Row("sqlite", "sqlite3", ["sh", "{here}/sqlite.sh"], kills=True),
    Row("redis", "redis-server redis-tools", ["sh", "{here}/redis.sh"],
        kills=True),
    Row("make", "make gcc", ["sh", "{here}/make.sh", "{root}"]),
    python("python", "test_mmap test_popen test_posix test_thread test_pty "
           "test_epoll test_wait3"),
    python("python_signals", "test_signal test_threadsignals test_fork1 "
           "test_faulthandler", long=True),
    python("python_processes", "test_subprocess test_os test_sys test_atexit "
           "test_cmd_line", long=True),
    python("python_threads", "test_threading test_gc test_ctypes test_capi",
           long=True),
    # Not test_socket, which hangs here without the library as well.
    python("python_waits", "test_select test_poll test_eintr test_selectors "
           "test_asyncore test_asynchat test_queue test_sched", long=True),
    python("python_asyncio", "test_asyncio", long=True, kills=True),
    python("python_futures", "test_concurrent_futures", long=True,
           kills=True),
    python("python_pools_fork", "test_multiprocessing_fork "
           "test_multiprocessing_main_handling", long=True, kills=True),
    python("python_pools_server", "test_multiprocessing_forkserver",
           long=True, kills=True),
    python("python_pools_spawn", "test_multiprocessing_spawn", long=True,
           kills=True),
    Row("stress", "stress-ng", ["sh", "{here}/stress.sh"], long=True,
        kills=True, root=True),
    Row("java", "openjdk-17-jdk-headless", ["sh", "{here}/java.sh"],
        long=True, kills=True),
    Row("postgres", "postgresql", ["sh", "{here}/postgres.sh"], long=True,
        kills=True, root=True),
    Row("nginx", "nginx-light curl", ["sh", "{here}/nginx.sh"], long=True,
        kills=True, root=True),
    # Go ends by the system call itself: sessions stay behind.
    Row("go", "golang-go gcc", ["sh", "{here}/built.sh", "{here}/cgo.go"],
        long=True, kills=True),
    # A panic in a panic prints addresses.
    Row("rust", "rustc", ["sh", "{here}/built.sh", "{here}/rust.rs"],
        long=True, kills=True, masks=[(r"0x[0-9a-f]+", "ADDRESS")]),
    Row("node", "nodejs", ["node", "{here}/node.js"], long=True, kills=True),
]


# --- one run ------------------------------------------------------------------

def variables(row, directory, setting):
    """The packages' programs, not those of this machine's user."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
           "HOME": directory / "work", "TZ": "UTC"}
    if lib.LONG:
        env["SUITES_LONG"] = 1
    if setting:
        # Where any user may read it.
        library = shutil.copy(lib.LIBRARY, directory)
        env.update(SETTINGS[setting], LD_PRELOAD=library)
    return env


def run(row, directory, setting):
    for name in ("work", "profiles"):
        (directory / name).mkdir()
        (directory / name).chmod(0o777)
    argv = [a.format(here=HERE, root=lib.ROOT) for a in row.argv]
    process = lib.start(argv, directory, setting is not None,
                        variables(row, directory, setting),
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise lib.Failure(f"did not end in {LIMIT_S} s") from None
    finally:
        end_all(process)
    return Done(process.returncode, cleaned(row, directory, out),
                cleaned(row, directory, err))


def end_all(process):
    lib.end(process)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def cleaned(row, directory, text):
    masks = [(re.escape(str(directory)), "DIRECTORY"), *row.masks]
    return lib.masked(text, [(p.encode(), r.encode()) for p, r in masks])


# --- what is left -------------------------------------------------------------

def check_profiles(row, directory):
    paths = sorted((directory / "profiles").iterdir(),
                   key=lambda p: -p.stat().st_size)
    finished = [p for p in paths if p.name.endswith(".pb.gz")]
    lib.expect(finished, "no profile was written")
    lib.expect(row.kills or finished == paths,
               f"left over: {sorted(set(paths) - set(finished))}")
    for path in finished:
        try:
            wire.read(path)
        except (ValueError, EOFError, OSError, IndexError, KeyError) as e:
            raise lib.Failure(f"{path.name}: {e!r}") from None
    for path in finished[:PPROFS]:
        lib.expect(lib.Profile(path).samples, f"{path.name} has no sample")
    return finished


def program_of(session):
    """By the session itself; None if it has gone meanwhile."""
    told = subprocess.run(
        [lib.BUILD / "pprofc", "recover", "--list", session],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
        env=lib.environment(False)).stdout.decode(errors="replace")
    return told.split("\t")[0] if told else None


def check_memory(row, profiles):
    """No session of a process that has written a profile. Process ids come
    again, to the hostile programs that run beside us, too."""
    writers = {(m[2], m[1]) for m in (
        re.match(r"(.*)\.(\d+)\.[a-z_]+(?:\.\d+)?\.pb\.gz$", p.name)
        for p in profiles) if m}
    pids = {pid for pid, _ in writers}
    left = [p.name for p in pathlib.Path("/dev/shm").glob("pprofc.*")
            if p.name.split(".")[1] in pids
            and (p.name.split(".")[1], program_of(p)) in writers]
    lib.expect(row.kills or not left, f"left in /dev/shm: {left}")


def with_library(row, setting, plain):
    with lib.Directory() as d:
        d.chmod(0o755)
        try:
            lib.expect_same(plain, run(row, d, setting))
            profiles = check_profiles(row, d)
            check_memory(row, profiles)
        except lib.Failure as e:
            raise lib.Failure(f"{setting}: {e}") from None
        return len(profiles)


# --- the table ----------------------------------------------------------------

def missing(row):
    for package in row.packages.split():
        state = subprocess.run(
            ["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if state.stdout != b"installed":
            return f"package {package} is not installed"
    if row.root and os.geteuid() != 0:
        return "needs root"
    return None


def run_row(row):
    began = time.monotonic()
    with lib.Directory() as d:
        d.chmod(0o755)
        plain = run(row, d, None)
    counts = [with_library(row, s, plain) for s in SETTINGS]
    lib.note(f"{row.name}: {time.monotonic() - began:.0f} s, profiles: "
             + ", ".join(map(str, counts)))


def install():
    done = subprocess.run([str(lib.ROOT / "scripts/install-deps"), "suites"],
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        lib.note("some packages could not be installed")


def main():
    words = sys.argv[1:]
    rows = failed = 0
    if lib.LONG:
        install()
    for row in ROWS:
        if (words and not any(w in row.name for w in words)
                or row.long and not lib.LONG):
            continue
        reason = missing(row)
        if reason:
            print(f"skipped {row.name}: {reason}", flush=True)
            continue
        rows += 1
        try:
            run_row(row)
            print(f"ok - {row.name}", flush=True)
        except (lib.Failure, OSError, subprocess.SubprocessError) as e:
            failed += 1
            reason = " | ".join(str(e).splitlines())
            print(f"not ok - {row.name}: {reason}", flush=True)
    lib.note(f"summary: suites: {rows - failed} of {rows} real programs as without "
             f"the library, {' and '.join(SETTINGS)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
