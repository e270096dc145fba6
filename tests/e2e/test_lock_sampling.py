#!/usr/bin/env python3
"""What is estimated from some of the waits equals what all of them are.

tests/targets/lock_sampled.c prints each wait by its own clock. Each of its
seeds is a pair of new threads, which draw from sequences of their own; the
rows of each are told apart by the thread's name. Per stack the sums of the
seeds must be the program's own, in count and in delay. What is compared are
the calmer half of the seeds, by their longest wait on the program's clock: one
wait in which the machine did something else for 10 ms, taken for ten, would
hide all others, and which these are has nothing to do with what was drawn.

Where the chance p of each wait is known (PPROFC_MUTEX_FRACTION,
PPROFC_BLOCK_RATE), within Bernstein's bound on a sum of independent terms,
here x (B / p - 1) with a coin B: |error| <= M L / 3 + sqrt((M L / 3)^2 +
2 V L), where V is the sum of their variances, M the largest term and
2 exp(-L) the chance of a false alarm.

Where it follows from what came before (PPROFC_LOCK_EVENTS), by the seeds'
errors e: under the sum's own scale, |sum e| / sqrt(sum e^2) > x has a chance
of 2 exp(-x^2 / 2) for errors as likely above as below.

FALSE_ALARM is that of a whole run of this file. A delay may also be off by
what clocks read outside the hook differ from those in it: CLOCKS of it.
"""

import collections
import math

import lib
from lib import case, expect, expect_equal

FALSE_ALARM = 1e-6
COMPARISONS = 20  # of sums in this file; each may use as much of it
L = math.log(2 * COMPARISONS / FALSE_ALARM)
CLOCKS = 0.05
STACKS = ("short", "long")
MORE = 10 if lib.LONG else 1

Waits = collections.namedtuple("Waits", "each elapsed")


def calmer_half(each):
    longest = collections.Counter()
    for (seed, _), all_ns in each.items():
        longest[seed] = max(longest[seed], *all_ns)
    calm = sorted(longest, key=longest.get)[:(len(longest) + 1) // 2]
    return {k: v for k, v in each.items() if k[0] in calm}


def own_waits(result):
    """{(seed, stack): [ns of each]} as the program printed them."""
    expect_equal(result.status, 0, f"status ({result.err[-200:]})")
    each, elapsed = collections.defaultdict(list), 0
    for line in result.out.decode().splitlines():
        words = line.split()
        if words[0] == "elapsed":
            elapsed = int(words[1]) / 1e9
        else:
            each[words[0], words[1]].append(int(words[2]))
    return Waits(each, elapsed)


def estimates(profile, role):
    """{(seed, stack): (contentions, ns)} of a profile."""
    found = {}
    for s in profile.samples:
        names = {f.name for l in s.stack for f in l.frames}
        for stack in STACKS:
            if f"{stack}_{role}" in names:
                key = s.labels["thread"], stack
                expect(key not in found, f"{key} has two samples")
                found[key] = tuple(s.values)
    return found


class Run:
    def __init__(self, seeds, rounds, short_ns, long_ns, **env):
        with lib.Directory() as d:
            result = lib.run(
                [lib.target("lock_sampled"), seeds, rounds, short_ns, long_ns],
                d, env={"PPROFC_PROFILES": "mutex,block",
                        "PPROFC_BLOCK": "mutex", "PPROFC_BLOCK_RATE": 1,
                        "PPROFC_LOCK_EVENTS": 10000000, **env})
            self.own = own_waits(result)
            profiles = {k: lib.Profile(lib.profile_of(result, k))
                        for k in ("mutex", "block")}
        self.calm = calmer_half(self.own.each)
        self.estimates = {"mutex": estimates(profiles["mutex"], "holder"),
                          "block": estimates(profiles["block"], "wanter")}
        self.statistics = {k: p.statistics() for k, p in profiles.items()}

    def waits(self, stack):
        return [ns for (_, s), all_ns in self.calm.items() if s == stack
                for ns in all_ns]

    def sums(self, kind, stack):
        """(contentions, ns)"""
        found = [self.estimates[kind].get(k, (0, 0)) for k in self.calm
                 if k[1] == stack]
        return [sum(v[i] for v in found) for i in (0, 1)]

    def check(self, kind, terms):
        """`terms(ns)` of one wait: ((variance, most) of its count, the same
        of its delay)."""
        for stack in STACKS:
            waits = self.waits(stack)
            for i, (what, true) in enumerate((("contentions", len(waits)),
                                              ("delay", sum(waits)))):
                found = [terms(ns)[i] for ns in waits]
                allowed = bernstein(sum(f[0] for f in found),
                                    max(f[1] for f in found)) \
                    + CLOCKS * true * i
                got = self.sums(kind, stack)[i]
                lib.note(f"{kind} {what} of {stack}: {true}, estimated {got} "
                         f"({100 * (got / true - 1):+.2f} %, allowed "
                         f"{100 * allowed / true:.2f} %)")
                expect(abs(got - true) <= allowed,
                       f"{kind}: {what} of {stack} is {true}, estimated {got}; "
                       f"chance alone makes {allowed:.0f}")


def bernstein(variance, most):
    tail = most * L / 3
    return tail + math.sqrt(tail * tail + 2 * variance * L)


def nothing_drawn(_):
    return (0, 0), (0, 0)


def by_fraction(n):
    return lambda ns: ((n - 1, n - 1), ((n - 1) * ns * ns, (n - 1) * ns))


def by_length(rate):
    def terms(ns):
        if ns >= rate:
            return (0, 0), (0, 0)
        return (rate / ns - 1, rate / ns - 1), (ns * (rate - ns), rate)
    return terms


@case
def all_waits_are_what_the_program_measured():
    run = Run(40 * MORE, 25, 20000, 100000)
    run.check("mutex", nothing_drawn)
    run.check("block", nothing_drawn)


@case
def a_fraction_of_the_releases_stands_for_all():
    run = Run(200 * MORE, 20, 20000, 100000, PPROFC_MUTEX_FRACTION=10)
    run.check("mutex", by_fraction(10))
    run.check("block", nothing_drawn)
    taken = {v[0] for v in run.estimates["mutex"].values()}
    expect(len(taken) >= 5, f"the seeds drew the same: {taken}")


@case
def a_rate_of_the_waits_stands_for_all():
    """Of the short ones some are above the rate, of the long ones below."""
    run = Run(200 * MORE, 20, 20000, 100000, PPROFC_BLOCK_RATE=100000)
    run.check("mutex", nothing_drawn)
    run.check("block", by_length(100000))
    taken = {v[0] for v in run.estimates["block"].values()}
    expect(len(taken) >= 5, f"the seeds drew the same: {taken}")


def pace(*size):
    """Hand-overs a second without the library."""
    with lib.Directory() as d:
        own = own_waits(lib.run([lib.target("lock_sampled"), *size], d,
                                preload=False))
    return sum(len(w) for w in own.each.values()) / own.elapsed


def check_seeds(run, kind):
    scale = math.sqrt(2 * L)
    for stack in STACKS:
        own = {k: w for k, w in run.calm.items() if k[1] == stack}
        for i, (what, size) in enumerate((("contentions", len),
                                          ("delay", sum))):
            errors = [run.estimates[kind].get(k, (0, 0))[i] - size(w)
                      for k, w in own.items()]
            true = sum(size(w) for w in own.values())
            allowed = scale * math.sqrt(sum(e * e for e in errors)) \
                + CLOCKS * true * i
            lib.note(f"{kind} {what} of {stack}: {true}, off by {sum(errors)} "
                     f"({100 * sum(errors) / true:+.2f} %, allowed "
                     f"{100 * allowed / true:.2f} %)")
            expect(abs(sum(errors)) <= allowed,
                   f"{kind}: {what} of {stack} is {true}, estimated "
                   f"{true + sum(errors)}; chance alone makes {allowed:.0f}")


def storm():
    """A run in which 20 times the budget happens, and that budget. Each
    hand-over is two events, a wait and a release."""
    events_a_second = 2 * pace(20, 60, 40000, 120000)
    for fold in (25, 50, 100, 200):
        budget = max(100, round(events_a_second / fold))
        run = Run(200 * MORE, 60, 40000, 120000, PPROFC_LOCK_EVENTS=budget)
        run.events = 2 * sum(len(w) for w in run.own.each.values())
        if run.events >= 20 * budget * run.own.elapsed:
            return run, budget
    raise lib.Failure(f"{run.events} events in {run.own.elapsed:.1f} s are no "
                      f"storm at a budget of {budget} a second")


@case
def a_storm_beyond_the_budget_stands_for_itself():
    run, budget = storm()
    taken = (run.statistics["block"]["block samples"]
             + run.statistics["mutex"]["mutex samples"])
    skipped = next(n for name, n in run.statistics["mutex"].items()
                   if name.startswith("lock events beyond"))
    lib.note(f"{run.events} events in {run.own.elapsed:.1f} s, budget {budget} "
             f"a second; {taken} taken, {skipped} skipped")
    expect_equal(taken + skipped, run.events, "taken and skipped")
    # The beginning takes a tenth for each doubling: lock_budget.c.
    expect(taken <= budget * (run.own.elapsed * 1.25 + 1),
           f"{taken} taken in {run.own.elapsed} s at a budget of {budget}")
    check_seeds(run, "mutex")
    check_seeds(run, "block")


if __name__ == "__main__":
    lib.main()
