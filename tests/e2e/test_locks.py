#!/usr/bin/env python3
"""Waits for mutexes and read-write locks, and who makes them wait.

tests/targets/lock_truth.c waits in functions of known names, for every kind of
mutex, and prints how long by its own clock. Of each function the block profile
must say the same within 5 %; and as much as all waited for locks together must
stand in the mutex profile, charged to the functions that released them.
"""

import collections
import re

import lib
from lib import case, expect, expect_equal

TYPES = ("normal", "recursive", "errorcheck", "adaptive", "robust", "inherit",
         "robust_inherit", "process_shared", "statically")


class Books:
    """What the program says, and its two profiles."""

    def __init__(self, result):
        expect_equal(result.status, 0, f"status ({result.err[-200:]})")
        self.own = {}
        for line in result.out.decode().splitlines():
            what, name, value = line.split()
            self.own[what, name] = int(value)
        self.block = lib.Profile(lib.profile_of(result, "block"))
        self.mutex = lib.Profile(lib.profile_of(result, "mutex"))

    def check_block(self, *names, tolerance=0.05, counts=True):
        for name in names:
            own = self.own["block", name]
            got = self.block.cum("delay")[name]
            lib.note(f"{name}: {own / 1e6:.3f} ms by its own clock, "
                     f"{got / 1e6:.3f} ms in the profile")
            expect(abs(got - own) <= tolerance * own,
                   f"{name} waited {own} ns, the profile says {got}")
            if counts:
                expect_equal(self.block.cum("contentions")[name],
                             self.own["count", name],
                             f"contentions of {name}")

    def check_equal_totals(self, classes=("mutex", "rwlock")):
        waited = sum(s.values[1] for s in self.block.samples
                     if s.labels.get("wait") in classes)
        charged = self.mutex.total("delay")
        lib.note(f"waited {waited / 1e6:.3f} ms, charged {charged / 1e6:.3f}")
        expect(abs(charged - waited) <= 0.01 * waited + 100000,
               f"{waited} ns waited for locks, {charged} ns charged")

    def check_holder(self, name, percent):
        share = 100 * self.mutex.cum("delay")[name] / \
            max(self.mutex.total("delay"), 1)
        expect(share >= percent,
               f"{name} is charged {share:.1f} % of the delay, expected >= "
               f"{percent}: {self.mutex.cum('delay')}")

    def locks(self):
        return {s.labels.get("lock") for s in self.mutex.samples}


def run(*tests, program="lock_truth", **env):
    with lib.Directory() as d:
        return Books(lib.run(
            [lib.target(program), *tests], d, timeout=20,
            env={"PPROFC_PROFILES": "mutex,block", "PPROFC_BLOCK_RATE": 1,
                 **env}))


def several_wait_for_one(kind):
    books = run(kind)
    books.check_block("mutex_wanter")
    books.check_equal_totals()
    books.check_holder("mutex_holder", 90)


for _kind in TYPES:
    def _one(kind=_kind):
        several_wait_for_one(kind)
    _one.__name__ = f"waiters_of_a_mutex_{_kind}"
    case(_one)


@case
def a_lock_is_named_by_its_symbol():
    names = run("statically").locks()
    expect(all(n.startswith("truth_mutex (0x") for n in names) and names,
           f"locks are {names}, expected truth_mutex (0x...)")


@case
def a_lock_without_a_symbol_is_an_address():
    names = run("normal").locks()
    expect(all(n.startswith("0x") for n in names) and names,
           f"locks are {names}, expected addresses")


@case
def only_the_unlock_that_lets_go_is_charged():
    books = run("nested")
    books.check_block("mutex_wanter")
    books.check_equal_totals()
    books.check_holder("outer_unlock", 99)


@case
def a_convoy():
    books = run("convoy")
    books.check_block("convoy_step", counts=False)
    books.check_equal_totals()


@case
def waits_given_up_are_charged_to_the_next_release():
    books = run("timed")
    books.check_block("timed_wanter")
    books.check_equal_totals()
    books.check_holder("timed_holder", 99)


@case
def a_writer_behind_readers():
    books = run("writer_behind_readers")
    books.check_block("rw_writer")
    books.check_equal_totals()
    books.check_holder("last_read_holder", 99)


@case
def readers_behind_a_writer():
    books = run("readers_behind_writer")
    books.check_block("rw_reader")
    books.check_equal_totals()
    books.check_holder("write_holder", 90)


@case
def locks_nobody_waits_for_leave_no_profile():
    with lib.Directory() as d:
        result = lib.run([lib.target("lock_truth"), "uncontended"], d,
                         env={"PPROFC_PROFILES": "mutex,block"})
        expect_equal(result.status, 0, "status")
        expect_equal(result.profiles, [], "profiles")


@case
def one_kind_without_the_other():
    with lib.Directory() as d:
        for kind in ("mutex", "block"):
            result = lib.run([lib.target("lock_truth"), "convoy"], d,
                             env={"PPROFC_PROFILES": kind})
            profile = lib.Profile(lib.profile_of(result, kind))
            expect(profile.cum("delay")["convoy_step"] > 20e6,
                   f"{kind}: {profile.cum('delay')}")


def waits(test, function, wanted, **env):
    with lib.Directory() as d:
        result = lib.run(
            [lib.target("wait_truth"), test], d, timeout=20,
            env={"PPROFC_PROFILES": "block", "PPROFC_BLOCK_RATE": 1, **env})
        expect_equal(result.status, 0, f"status ({result.err[-200:]})")
        profile = lib.Profile(lib.profile_of(result, "block"))
    own = int(re.search(rb"block %s (\d+)" % function.encode(),
                        result.out)[1])
    got = collections.Counter()
    for s in profile.samples:
        if any(f.name == function for l in s.stack for f in l.frames):
            got[s.labels["wait"]] += s.values[1]
    lib.note(f"{function}: {own / 1e6:.3f} ms by its own clock, "
             f"{dict(got)} ns in the profile")
    expect(abs(sum(got.values()) - own) <= 0.05 * own,
           f"{function} waited {own} ns, the profile says {dict(got)}")
    expect(wanted[0] in got and set(got) <= set(wanted),
           f"waits of {function} are {set(got)}, expected {wanted}")


for _test, _function, _wanted, _block in (
        ("cond", "cond_waiter", ("cond", "mutex"), None),
        ("cond_timed", "cond_timed", ("cond",), None),
        ("sem", "sem_waiter", ("sem",), None),
        ("barrier", "barrier_waiter", ("barrier",), None),
        ("join", "joiner", ("join",), None),
        ("once", "once_waiter", ("once",), "once"),
        ("c11", "c11_waiter", ("cond", "join", "sleep"), "cond,join,sleep"),
        ("c11", "c11_wanter", ("mutex",), None),
        ("sleep", "sleeper", ("sleep",), "sleep"),
        ("poll", "poller", ("poll",), "poll"),
        ("io", "reader", ("io",), "io")):
    def _waits(a=(_test, _function, _wanted), block=_block):
        waits(*a, **({"PPROFC_BLOCK": block} if block else {}))
    _waits.__name__ = f"waits_for_{_test}_in_{_function}"
    case(_waits)


@case
def a_wait_for_a_condition_releases_the_mutex():
    books = run("cond_release", program="wait_truth", PPROFC_BLOCK="mutex")
    books.check_block("cond_mutex_wanter")
    books.check_equal_totals()
    books.check_holder("cond_releaser", 99)


@case
def cancellation_points_stay_so():
    with lib.Directory() as d:
        for env in ({"PPROFC_BLOCK": "all"}, {"PPROFC_PROFILES": "cpu"}):
            result = lib.run(
                [lib.target("wait_truth"), "cancel"], d, timeout=20,
                env={"PPROFC_PROFILES": "mutex,block", **env})
            expect_equal((result.status, result.err), (0, b""), "end")


for _test in ("owner_dies", "refused", "forks", "handlers", "interrupts",
              "alternate", "other_process"):
    def _hostile(test=_test):
        with lib.Directory() as d:
            for profiles in ("mutex,block", "cpu,heap"):
                result = lib.run(
                    [lib.target("lock_hostile"), test], d, timeout=20,
                    env={"PPROFC_PROFILES": profiles, "PPROFC_BLOCK": "all",
                         "PPROFC_BLOCK_RATE": 1})
                expect_equal((result.status, result.err), (0, b""), "end")
    _hostile.__name__ = f"rules_hold_{_test}"
    case(_hostile)


for _test in ("robust", "protect"):
    def _same(test=_test):
        """Each answer is what it is without us."""
        argv = [lib.target("lock_kinds"), test]
        with lib.Directory() as d:
            plain = lib.run(argv, d, preload=False, timeout=60)
            for profiles in ("mutex,block", "goroutine", "cpu,heap"):
                lib.expect_same(plain, lib.run(argv, d, timeout=60, env={
                    "PPROFC_PROFILES": profiles, "PPROFC_BLOCK": "all",
                    "PPROFC_BLOCK_RATE": 1}))
        expect_equal((plain.status, plain.err), (0, b""), "end")
    _same.__name__ = f"answers_of_mutexes_{_test}"
    case(_same)


@case
def a_wait_left_by_a_jump_is_charged_to_nobody():
    books = run("handlers", program="lock_hostile")
    waited = sum(s.values[1] for s in books.block.samples
                 if s.labels.get("wait") == "mutex")
    charged = books.mutex.total("delay")
    expect(charged <= waited * 1.5 + 20e6,
           f"{charged} ns charged, {waited} ns waited")


@case
def a_wait_under_a_handler_on_another_stack_is_charged():
    run("alternate", program="lock_hostile").check_equal_totals()


@case
def who_is_in_another_process_is_not_taken_for_who_comes_next():
    """Three waited 200 ms for it, and then held the lock for 1 ms each."""
    books = run("other_process", program="lock_hostile")
    expect(books.mutex.total("delay") < 200e6,
           f"{books.mutex.total('delay')} ns charged")
    comments = [c for c in books.mutex.comments
                if re.match(r"waits that no mutex sample shows: .*: [1-3]$", c)]
    expect(comments, f"comments: {books.mutex.comments}")


if __name__ == "__main__":
    lib.main()
