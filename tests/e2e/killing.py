"""killing.py - programs that are killed, their books, and what is recovered.

tests/targets/killed.c keeps its books in a shared file: for each thread what
it has begun and what it has done. What a profile says must lie between both.
"""

import collections
import pathlib
import resource
import shutil
import struct
import subprocess
import tempfile

import lib
from lib import expect, expect_equal

THREADS = 4
BOOKS = struct.Struct("=8Q")
Books = collections.namedtuple(
    "Books", "make_begun make_done free_begun free_done cpu_ns")


class Place:
    """A directory for outputs and one in memory for sessions."""

    def __init__(self, sessions=None):
        self.own = lib.Directory()
        self.sessions = sessions

    def __enter__(self):
        self.path = self.own.__enter__()
        self.made = self.sessions is None
        if self.made:
            self.sessions = pathlib.Path(
                tempfile.mkdtemp(prefix="pprofc-test.", dir="/dev/shm"))
        return self

    def __exit__(self, *error):
        self.own.__exit__(*error)
        if self.made:
            shutil.rmtree(self.sessions, ignore_errors=True)

    def start(self, argv, env=None, **popen):
        variables = {"PPROFC_SESSION": self.sessions}
        variables.update(env or {})
        return lib.start(argv, self.path, env=variables, **popen)

    def session_files(self):
        return sorted(self.sessions.iterdir())

    def profiles(self, kind, pid):
        return [f for f in lib.profiles(self.path, kind)
                if f".{pid}." in f.name]

    def profile(self, kind, pid):
        found = self.profiles(kind, pid)
        expect(len(found) == 1, f"{len(found)} {kind} profiles of {pid}: "
                                f"{lib.profiles(self.path)}")
        return lib.Profile(found[0])


def recover(*arguments, status=0, cwd=None, env=None):
    """`pprofc recover ARGUMENTS`: (stdout, stderr), with the status wanted."""
    done = subprocess.run(
        [lib.BUILD / "pprofc", "recover", *[str(a) for a in arguments]],
        env=lib.environment(False, env), stdin=subprocess.DEVNULL, cwd=cwd,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
        check=False)
    out, err = (s.decode(errors="replace") for s in (done.stdout, done.stderr))
    expect(status is None or done.returncode == status,
           f"status {done.returncode} of recover: {out} {err}")
    return out, err


def dump_core(place, argv, coredump_filter, env=None):
    """(pid, core file) of a program that crashes; no file where the kernel
    writes none."""
    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
        pathlib.Path("/proc/self/coredump_filter").write_text(coredump_filter)

    process = place.start(argv, preexec_fn=prepare,
                          env={"PPROFC_HEAP_RATE": 1, **(env or {})})
    expect(process.wait(60) < 0, "it did not die")
    cores = list((place.path / "work").glob("core*"))
    if not cores:
        lib.note("skipped: the kernel does not write cores here")
    return process.pid, cores[0] if cores else None


def left(place):
    """Lines of --list about what is left, but for sessions whose process was
    killed while it was making them."""
    out, _ = recover("--list", place.sessions)
    return [line for line in out.splitlines()
            if line.split("\t")[5] != "empty"]


class Killed:
    """killed.c with its books."""

    def __init__(self, place, threads=THREADS, forks=0, env=None, **popen):
        self.place = place
        self.threads = threads
        self.file = place.path / "books"
        self.file.write_bytes(bytes(BOOKS.size * threads))
        variables = {"PPROFC_HEAP_RATE": 1}
        variables.update(env or {})
        self.process = place.start(
            [lib.target("killed"), self.file, threads, forks],
            env=variables, **popen)
        self.pid = self.process.pid

    def books(self):
        data = self.file.read_bytes()
        return [Books(*fields[:5]) for fields in BOOKS.iter_unpack(data)]

    def wait_for_work(self, count):
        lib.wait_for(lambda: all(b.make_done >= count for b in self.books())
                     or self.process.poll() is not None, "work")

    def kill(self):
        """It and its children."""
        lib.end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def in_profile(profile, threads):
    """For each thread {column: sum} of what make_object made."""
    sums = [collections.Counter() for _ in range(threads)]
    columns = ("alloc_objects", "inuse_objects", "alloc_space", "inuse_space")
    which = [(c, profile.column(c)) for c in columns]
    for s in profile.samples:
        names = {f.name for location in s.stack for f in location.frames}
        size = int(s.labels.get("bytes", "0").strip("[]").split(":")[-1] or 0)
        thread = size.bit_length() - 9
        if "make_object" in names and 0 <= thread < threads:
            for name, i in which:
                sums[thread][name] += s.values[i]
    return sums


def off(value, low, high):
    return max(low - value, value - high, 0)


def check_heap(profile, books):
    """In-use and totals, each thread for itself, within the call under way. In
    all threads together one more object may be missing in the totals: that
    whose record was just being added."""
    doubt = 0
    for t, (b, seen) in enumerate(zip(books, in_profile(profile, len(books)))):
        size = 1 << (8 + t)
        made, live = seen["alloc_objects"], seen["inuse_objects"]
        missing = off(made, b.make_done, b.make_begun)
        doubt += missing
        expect(made <= b.make_begun, f"thread {t}: {made} objects made, its "
                                     f"books say {b}")
        expect_equal(off(live, b.make_done - b.free_begun,
                         b.make_begun - b.free_done), 0,
                     f"thread {t}: {live} objects in use, its books say {b}; "
                     "wrong by")
        expect_equal(seen["inuse_space"], live * size, f"bytes of thread {t}")
        torn = off(seen["alloc_space"], made * size, made * size)
        expect(torn in (0, size), f"thread {t}: {seen['alloc_space']} bytes "
                                  f"in {made} objects")
        doubt += torn != 0
    expect(doubt <= 1, f"{doubt} objects are missing: {books}, "
                       f"{in_profile(profile, len(books))}")


def check_cpu(profile, books):
    """Each thread may owe a period, and what the kernel's tick missed."""
    used = sum(b.cpu_ns for b in books)
    got = profile.total("cpu")
    slack = 0.1 * used + len(books) * 30e6
    expect(used - slack <= got <= used + slack,
           f"{got / 1e6} ms of CPU time in the profile, {used / 1e6} ms used")


def check(killed, err):
    """After recover: both profiles, whatever moment the process was killed
    at."""
    books = killed.books()
    place = killed.place
    if sum(b.make_done for b in books) == 0 and \
            not place.profiles("heap", killed.pid):
        return False  # before the first object
    expect_equal(left(place), [], f"after {err} what is left")
    check_heap(place.profile("heap", killed.pid), books)
    if place.profiles("cpu", killed.pid):
        check_cpu(place.profile("cpu", killed.pid), books)
    else:
        expect(sum(b.cpu_ns for b in books) < 100e6, "no CPU profile")
    return True
