#!/usr/bin/env python3
"""CPU profiles against ground truth that the program measured itself.

tests/targets/cpu_split.c burns CPU time in known functions and prints how
much each took, and its getrusage at the end.

Totals. A thread that used C of CPU time has as many expiries of a timer with
period P as points of p, p + P, ... lie below C: C/P on average over its phase p.
Phases of threads made one after the other are golden ratio steps from a random
start. Take the C of the n threads in an order that has nothing to do with the
phases. Then the error of the total, in periods, is at most D plus a sum of
independent terms of range 1 and total variance v:

	D = n times the discrepancy of n golden ratio steps, below 5 for
	    n <= 20000 (computed)
	v = n E|C - C'| / 2P, at most n / 4: what is uncertain of a thread
	    whose phase lies where C of some threads end and of others do not;
	    E|C - C'| is measured by the program itself

so by Bernstein the total is off by more than

	P (D + sqrt(2 v L) + L / 3),	L = ln(2/a)

with probability below a; and never by more than n P. On top of it the promised
2 % of rusage.

Shares. Of N samples in the three functions a share p falls into one of them.
Slices are independent and exponential with mean m = 2 ms, so samples of one
thread a period P apart correlate by exp(-P/m): the variance grows over the
binomial one by at most d = (1 + r) / (1 - r), r = exp(-P/m): 1.01 at 100 Hz,
1.31 at 250 Hz; d = 1.5 leaves room for overrun weights. By Bernstein the
count differs from p N by more than

	sqrt(2 d N p (1 - p) L) + L / 3

with probability below a.

Residuals. At its end a thread is charged for what came due since a tick last hit
it. On an idle machine that is a tick ago at most. On a loaded one ticks hit
other threads in its place: in the thread's own time they come as in a Poisson
process, with a mean distance that we take to be at most G = 2 ticks. Then the
time since the last is X = min(Exp(G), C), with

	E X = G (1 - exp(-c)), E X^k <= k!/2 V G^(k-2), c = C / G,
	V = 2 G^2 (1 - exp(-c) (1 + c))

and by Bernstein's inequality under this condition, with 1/4 for the rounding to
whole periods, the periods of n threads at [thread end] are more than

	(sum E X) / P + sqrt(2 (sum V / P^2 + n / 4) L) + (G / P + 1/3) L

with probability below a. Where that is as much as the whole profile (lives
shorter than G) nothing can be said, and the test says so.

With a = 1e-6 / CHECKS the whole file raises a false
alarm with probability below 1e-6.
"""

import math

import lib
from lib import case, expect

CHECKS = 64
LOG = math.log(2 * CHECKS / 1e-6)
DESIGN = 1.5
DISCREPANCY = 5
FUNCTIONS = ("work_one", "work_two", "work_three")
TICK_S = 0.004  # of the slowest kernels we run on
SCALE = 8 if lib.LONG else 1

pooled = {}


def measure(threads, ms, alive, hz, *mode):
    """Run cpu_split; returns (truth in seconds by name, CPU seconds of each
    thread, Profile)."""
    with lib.Directory() as d:
        result = lib.run(
            [lib.target("cpu_split"), threads, ms, alive, *mode], d,
            env={"PPROFC_PROFILES": "cpu", "PPROFC_CPU_HZ": hz},
            timeout=120 * SCALE)
        expect(result.status == 0, f"status {result.status}: {result.err}")
        words = [line.split() for line in result.out.decode().splitlines()]
        truth = {k: int(v) / 1e9 for k, v in words if k != "thread"}
        each = [int(v) / 1e9 for k, v in words if k == "thread"]
        return truth, each, lib.Profile(lib.profile_of(result, "cpu"))


def uncertain(each, period_s):
    """v of the text above: n/2 times the mean difference of two threads."""
    n = len(each)
    ranked = sum((2 * i - n + 1) * c for i, c in enumerate(sorted(each)))
    difference = 2 * ranked / (n * n)
    return min(n * difference / (2 * period_s), n / 4)


def noise_s(threads, v, period_s, runs=1):
    periods = runs * DISCREPANCY + math.sqrt(2 * v * LOG) + LOG / 3
    return period_s * min(threads, periods)


def expect_total(got_s, truth_s, noise, what):
    bound = 0.02 * truth_s + noise
    lib.note(f"{what}: {got_s:.3f} s of {truth_s:.3f} s "
             f"({100 * got_s / truth_s:.2f} %), allowed +-{bound:.3f} s")
    expect(abs(got_s - truth_s) <= bound,
           f"{what}: profile has {got_s:.3f} s, getrusage {truth_s:.3f} s, "
           f"allowed difference {bound:.3f} s")


def expect_shares(profile, truth, what):
    counts = {f: profile.cum("samples")[f] for f in FUNCTIONS}
    n, spent = sum(counts.values()), sum(truth[f] for f in FUNCTIONS)
    expect(n > 0, f"{what}: no sample in {FUNCTIONS}")
    for f in FUNCTIONS:
        p = truth[f] / spent
        bound = math.sqrt(2 * DESIGN * n * p * (1 - p) * LOG) + LOG / 3
        expect(abs(counts[f] - p * n) <= bound,
               f"{what}: {f} has {counts[f]} of {n} samples, truth "
               f"{100 * p:.1f} %, allowed +-{bound:.0f}")


def most_at_end(each, period_s):
    """Residuals of the text above, in periods."""
    gap = 2 * TICK_S
    mean = sum(gap * (1 - math.exp(-c / gap)) for c in each)
    v = sum(2 * gap ** 2 * (1 - math.exp(-c / gap) * (1 + c / gap))
            for c in each)
    return (mean / period_s
            + math.sqrt(2 * (v / period_s ** 2 + len(each) / 4) * LOG)
            + (gap / period_s + 1 / 3) * LOG)


def expect_consistent(profile, hz, each, what):
    """Columns agree; the residual is what ticks explain, and no more."""
    period = round(1e9 / hz)
    for s in profile.samples:
        count, ns = s.values
        expect(ns == count * period, f"{what}: {count} samples are {ns} ns")
    end = profile.flat("samples")["[thread end]"]
    most = most_at_end(each, 1 / hz)
    total = profile.total("samples")
    lib.note(f"{what}: {end} of {total} periods at [thread end], " +
             (f"allowed {most:.0f}" if most < total else "not tested"))
    expect(end <= most, f"{what}: {end} periods at [thread end], explained "
                        f"are at most {most:.0f}")
    losses = {k: v for k, v in profile.statistics().items()
              if "lost" in k and v}
    expect(not losses, f"{what}: losses {losses}")


def check(threads, ms, alive, hz, *mode):
    """Returns (profile's total, getrusage's, threads, v)."""
    what = f"{threads} x {ms} ms at {hz} Hz {' '.join(mode)}".rstrip()
    truth, each, profile = measure(threads, ms, alive, hz, *mode)
    got = profile.total("cpu") / 1e9
    started = threads + (threads > 1)  # and the main thread
    v = uncertain(each, 1 / hz) + (threads > 1) / 4
    expect_total(got, truth["rusage"], noise_s(started, v, 1 / hz), what)
    expect_shares(profile, truth, what)
    # The main thread of many has at most what the others have.
    expect_consistent(profile, hz, each + [max(each)] * (threads > 1), what)
    return got, truth["rusage"], started, v


@case
def one_thread_100_hz():
    check(1, 3000 * SCALE, 1, 100)


@case
def one_thread_250_hz():
    check(1, 2000 * SCALE, 1, 250)


@case
def eight_threads():
    check(8, 600 * SCALE, 8, 100)


@case
def two_hundred_threads():
    check(200, 25 * SCALE, 200, 100)


@case
def two_hundred_threads_250_hz():
    check(200, 20 * SCALE, 200, 250)


@case
def threads_that_sleep_often():
    check(4, 800 * SCALE, 4, 100, "sleepy")


@case
def threads_that_sleep_often_250_hz():
    check(4, 500 * SCALE, 4, 250, "sleepy")


def lifetime(ms):
    pooled[ms] = check(2400 * SCALE // ms, ms, 4, 250)


@case
def threads_living_3_ms():
    lifetime(3)


@case
def threads_living_10_ms():
    lifetime(10)


@case
def threads_living_30_ms():
    lifetime(30)


@case
def threads_living_100_ms():
    lifetime(100)


@case
def threads_living_30_ms_at_100_hz():
    check(100 * SCALE, 30, 4, 100)


@case
def short_lives_together():
    """The four lifetimes at 250 Hz in one sum: the tightest bound."""
    for ms in (3, 10, 30, 100):
        if ms not in pooled:
            lifetime(ms)
    got, truth, threads, v = map(sum, zip(*pooled.values()))
    expect_total(got, truth, noise_s(threads, v, 1 / 250, 4), "short lives")


if __name__ == "__main__":
    lib.main()
