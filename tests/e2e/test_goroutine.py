#!/usr/bin/env python3
"""What all threads do: `pprofc threads`, `dump`, `list`, goroutine profiles.

tests/targets/hangs.c hangs, sleeps or runs in functions of known names, and
prints the name and tid of each of its threads.
"""

import collections
import os
import re
import shutil
import signal
import subprocess

import lib
from lib import case, expect, expect_equal

Thread = collections.namedtuple("Thread", "state name stack")
Done = collections.namedtuple("Done", "status out err")
THREADS = {"PPROFC_PROFILES": "cpu,heap,threads", "PPROFC_HEAP_RATE": "1"}


def pprofc(*words):
    done = subprocess.run(
        [lib.BUILD / "pprofc", *map(str, words)], env=lib.environment(False),
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def asleep(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0] == "S"


def hangs(pid, tid):
    """In a futex without a time limit. With one it waits for the session that
    another thread of the target is making, and does not hang yet."""
    with open(f"/proc/{pid}/task/{tid}/syscall", encoding="ascii") as f:
        call = f.read().split()
    return call[0] == "202" and call[4] == "0x0" and asleep(pid, tid)


class Hanging:
    """The target, once all its threads are where they stay."""

    def __init__(self, test, still=True, **env):
        self.test, self.still, self.env = test, still, {**THREADS, **env}

    def __enter__(self):
        self.directory = lib.Directory()
        self.path = self.directory.__enter__()
        self.process = lib.start(
            [lib.target("hangs"), self.test], self.path, env=self.env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.tids = collections.defaultdict(list)
        for line in iter(self.process.stdout.readline, b"ready\n"):
            expect(line, f"{self.test} ended before it was ready")
            name, tid = line.decode().split()
            self.tids[name].append(int(tid))
        for tid in lib.threads_of(self.pid) if self.still else ():
            lib.wait_for(lambda t=tid: asleep(self.pid, t), f"sleep of {tid}")
        for who in CIRCLES.get(self.test, ()):
            lib.wait_for(lambda t=self.tids[who][0]: hangs(self.pid, t),
                         f"hang of {who}")
        return self

    def __exit__(self, *unused):
        lib.end(self.process)
        self.process.communicate()
        self.directory.__exit__()

    def finish(self):
        """End of input; what it printed after `ready`."""
        out, err = self.process.communicate(timeout=20)
        expect_equal(self.process.returncode, 0, f"status ({err[-200:]})")
        return out.decode()

    def profile(self, kind):
        return lib.wait_for(lambda: lib.profiles(self.path, kind),
                            f"{kind} profile")[-1]


def blocks(text):
    """The threads of debug=2 text, by tid."""
    found = {}
    for part in ("\n" + text).split("\ngoroutine ")[1:]:
        lines = part.strip().splitlines()
        m = re.match(r'^(\d+) \[([^],]*).*\]: "(.*)"$', lines[0])
        expect(m, f"head {lines[0]!r} has another form")
        found[int(m[1])] = Thread(m[2], m[3], [
            line.removesuffix("(...)") for line in lines[1:]
            if not line.startswith("\t")])
    return found


# --- deadlocks ----------------------------------------------------------------

# Of each thread: where it waits, for what, and for whom.
CIRCLES = {
    "two": {"alice": ("alice_waits_for_b", "mutex lock_b", "bob"),
            "bob": ("bob_waits_for_a", "mutex lock_a", "alice")},
    "three": {"alice": ("alice_waits_for_b", "mutex lock_b", "bob"),
              "bob": ("bob_waits_for_c", "mutex lock_c", "carol"),
              "carol": ("carol_waits_for_a", "mutex lock_a", "alice")},
    "rwlock": {"alice": ("alice_waits_for_b", "mutex lock_b", "bob"),
               "bob": ("bob_waits_for_rw_a", "rwlock rw_a", "alice")},
    "join": {"alice": ("alice_joins_bob", None, "bob"),
             "bob": ("bob_waits_for_a", "mutex lock_a", "alice")},
    # Woken, but the mutex of the condition is not to be had again.
    "condition": {"alice": ("alice_gets_a_again", "mutex lock_a", "bob"),
                  "bob": ("bob_waits_for_b", "mutex lock_b", "alice")},
}


def line_of(circle, tids):
    """The pattern of the line that tells the circle, smallest tid first."""
    def name(who):
        return rf'{tids[who][0]} "{who}"'

    at = first = min(circle, key=lambda who: tids[who][0])
    parts = []
    while not parts or at != first:
        _, lock, owner = circle[at]
        cause = (rf"{lock} \(0x[0-9a-f]+\) owned by {name(owner)}" if lock
                 else f"the end of {name(owner)}")
        parts.append(f"{name(at)} waits for {cause}")
        at = owner
    return "deadlock: " + "; ".join(parts)


def expect_circle(test, done, tids):
    expect_equal(done.status, 2, f"status ({done.err})")
    circle = CIRCLES[test]
    pattern = line_of(circle, tids)
    lines = done.out.splitlines()
    expect(re.fullmatch(pattern, lines[0]),
           f"first line is {lines[0]!r}, expected {pattern}")
    expect_equal(sum(l.startswith("deadlock:") for l in lines), 1, "circles")
    found = blocks(done.out)
    for who, (function, _, _) in circle.items():
        thread = found[tids[who][0]]
        expect_equal((thread.name, thread.state), (who, "semacquire"), who)
        expect(function in thread.stack, f"{who} is in {thread.stack}")


def by_command(test):
    for _ in range(50 if lib.LONG else 3):
        with Hanging(test) as t:
            expect_circle(test, pprofc("threads", "--names", t.pid), t.tids)


def by_signal(test):
    for _ in range(50 if lib.LONG else 1):
        with Hanging(test, PPROFC_PROFILES="threads") as t:
            os.kill(t.pid, signal.SIGUSR2)
            expect_circle(test, pprofc("threads", t.profile("goroutine")),
                          t.tids)


for _test in CIRCLES:
    for _how in (by_command, by_signal):
        def _one(test=_test, how=_how):
            how(test)
        _one.__name__ = f"deadlock_{_test}_{_how.__name__}"
        case(_one)


@case
def source_lines_by_default():
    with Hanging("two") as t:
        out = pprofc("threads", t.pid).out
    expect(re.search(r"bob_waits_for_a\(\.\.\.\)\n\t\S*hangs\.c:\d+ "
                     r"\+0x[0-9a-f]+\n", out),
           f"no source line of bob_waits_for_a in {out[-600:]}")


@case
def askers_at_the_same_time_get_an_answer_each():
    with Hanging("two") as t:
        askers = [subprocess.Popen(
            [lib.BUILD / "pprofc", "threads", "--names", str(t.pid)],
            env=lib.environment(False), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for _ in range(8)]
        for asker in askers:
            out, _ = asker.communicate(timeout=60)
            expect_circle("two", Done(asker.returncode, out.decode(), ""),
                          t.tids)
        expect_equal(lib.profiles(t.path), [], "files left")


# --- sleepers, runners --------------------------------------------------------

STATES = {"epoll_wait": "select", "poll": "select", "nanosleep": "sleep",
          "read_pipe": "IO wait", "recv": "IO wait"}


@case
def five_hundred_sleepers_are_seen_and_not_woken():
    with Hanging("sleepers") as t:
        for _ in range(20):
            done = pprofc("threads", "--names", t.pid)
            expect_equal(done.status, 0, f"status ({done.err})")
            found = blocks(done.out)
            expect_equal(len(found), 501, "threads")
            for name, tids in t.tids.items():
                for tid in tids:
                    state = STATES.get(name, "semacquire")
                    expect_equal(found[tid][:2], (state, name[:15]), tid)
                    expect(f"sleeps_in_{name}" in found[tid].stack,
                           f"{name} is in {found[tid].stack}")
        pprofc("dump", t.pid, "goroutine")
        took = lib.Profile(t.profile("goroutine")).statistics()
        ms = took["taken in"] / 1000
        lib.note(f"summary: 501 threads taken in {ms} ms")
        expect(ms < 1000, f"took {ms} ms")
        expect_equal(t.finish(), "returned 0 interrupted 0\n", "calls")


@case
def running_threads_and_one_that_hears_nothing():
    with Hanging("runners", still=False) as t:
        done = pprofc("threads", "--names", t.pid)
        expect_equal(done.status, 0, f"status ({done.err})")
        found = blocks(done.out)
        spinner, deaf = (found[t.tids[n][0]] for n in ("spinner", "deaf"))
        expect_equal(spinner.state, "running", "state of the spinner")
        expect_equal(spinner.stack[0], "spin_forever", "its leaf")
        expect_equal((deaf.state, deaf.stack),
                     ("running", ["[stack not known]"]), "deaf thread")
        pprofc("dump", t.pid, "goroutine")
        comments = lib.Profile(t.profile("goroutine")).comments
        expect("threads: 3, without a stack: 1" in comments,
               f"the deaf thread is not counted in {comments}")


def check_offsets(out):
    """NAME+0xOFF is a place in NAME: the same function starts at one address,
    and that ends as its symbol does."""
    symbols = subprocess.run(
        ["nm", str(lib.target("hangs"))], check=True, text=True,
        stdout=subprocess.PIPE).stdout
    starts = {name: int(at, 16) for at, _, name in
              (line.split() for line in symbols.splitlines()
               if len(line.split()) == 3)}
    found = re.findall(r"^#\t0x([0-9a-f]+)\t(sleeps_in_\w+)\+0x([0-9a-f]+)\t",
                       out, re.M)
    expect(len(found) >= 3, f"no offsets in {out[:1000]}")
    for address, name, offset in found:
        start = int(address, 16) - int(offset, 16)
        expect_equal(start % 4096, starts[name] % 4096, f"start of {name}")


@case
def equal_stacks_once_as_go_prints_them():
    with Hanging("sleepers") as t:
        expect_equal(pprofc("dump", t.pid, "threads").status, 0, "dump")
        path = t.profile("goroutine")
        done = pprofc("threads", "--debug=1", path)
        text = t.path / "goroutine.txt"
        text.write_text(done.out)
        expect(done.out.startswith("goroutine profile: total 501\n"),
               f"text begins {done.out[:60]!r}")
        counts = [int(n) for n in re.findall(r"^(\d+) @ 0x", done.out, re.M)]
        expect_equal(counts, [50] * 10 + [1], "counts")
        check_offsets(done.out)
        read, raw = lib.Profile(text), lib.Profile(path)
        expect_equal(read.total("goroutine"), raw.total("goroutine"), "total")
        rows, _ = lib.pprof("-top", "-cum", text)
        expect("sleeps_in_poll" in rows, f"no name by the map in {rows}")


# --- dump, list, refusals -----------------------------------------------------

@case
def dump_writes_what_the_signal_writes():
    with Hanging("quiet") as t:
        done = pprofc("dump", t.pid, "heap")
        expect_equal(done.status, 0, f"status ({done.err})")
        asked = done.out.split()
        expect_equal([str(p) for p in lib.profiles(t.path)], asked, "files")
        os.kill(t.pid, signal.SIGUSR2)
        by_signal_ = lib.wait_for(
            lambda: [p for p in lib.profiles(t.path, "heap")
                     if str(p) not in asked], "second heap profile")[0]
        one, two = lib.Profile(lib.profiles(t.path, "heap")[0]), \
            lib.Profile(by_signal_)
        for column in ("alloc_objects", "alloc_space", "inuse_space"):
            expect_equal(one.total(column), two.total(column), column)
        expect(one.cum("alloc_objects")["allocates"] == 100,
               f"allocates made {one.cum('alloc_objects')}")


@case
def list_names_what_runs():
    with Hanging("quiet") as t:
        out = pprofc("list").out
        expect(re.search(rf"\b{t.pid}\b.*", out) and "hangs" in out,
               f"{t.pid} is not in {out}")


def expect_refusal(status, pattern, *words):
    done = pprofc(*words)
    expect_equal((done.status, done.out), (status, ""), f"{words}")
    expect(re.fullmatch(f"pprofc: {pattern}\n", done.err),
           f"{words} says {done.err!r}, expected {pattern}")


@case
def who_cannot_be_asked():
    for command in ("threads", "dump"):
        expect_refusal(1, "process 4194305: No such process", command, 4194305)
        with lib.Directory() as d:
            plain = lib.start(["sleep", "60"], d, preload=False)
            try:
                expect_refusal(1, f"process {plain.pid} is not profiled: .*",
                               command, plain.pid)
            finally:
                lib.end(plain)
        with Hanging("quiet", PPROFC_SESSION="anonymous") as t:
            expect_refusal(1, f"process {t.pid} has no session file: .*",
                           command, t.pid)
    expect_refusal(125, 'there is no profile "heep"', "dump", 1, "heep")
    expect_refusal(125, "usage: pprofc dump .*", "dump", "heap")
    expect_refusal(1, "/dev/null: .*", "threads", "/dev/null")


@case
def a_child_answers_for_itself():
    with Hanging("child", still=False) as t:
        child = t.tids["child"][0]
        for pid in (child, t.pid):
            done = pprofc("threads", "--names", pid)
            expect_equal(done.status, 0, f"status ({done.err})")
            expect_equal(list(blocks(done.out)), [pid], "threads")
        expect_equal(t.finish(), "", "output")


@case
def a_process_of_another_user():
    if os.geteuid() != 0:
        lib.note("summary: skipped a_process_of_another_user: not root")
        return
    with Hanging("quiet") as t:
        command = t.path / "pprofc"
        shutil.copy(lib.BUILD / "pprofc", command)
        t.path.chmod(0o755)
        done = subprocess.run(
            [command, "threads", str(t.pid)], user=65534, group=65534,
            extra_groups=[], env=lib.environment(False), capture_output=True,
            stdin=subprocess.DEVNULL, timeout=60, check=False)
        expect_equal((done.returncode, done.stderr.decode()),
                     (1, f"pprofc: process {t.pid}: Permission denied\n"),
                     "answer")


if __name__ == "__main__":
    lib.main()
