#!/usr/bin/env python3
"""Wherever a program passes a set of signals: that of the CPU timers is not in
what the kernel gets, and everything else is.

tests/targets/masks.c passes full sets and prints what the kernel has.
"""

import re

import lib
from lib import case, expect, expect_equal

TIMER_BIT = 1 << 63  # SIGRTMAX of a program without us


def outputs(what, **env):
    with lib.Directory() as d:
        plain = lib.run([lib.target("masks"), what], d, preload=False)
    with lib.Directory() as d:
        ours = lib.run([lib.target("masks"), what], d, env=env)
    for result in (plain, ours):
        expect_equal(result.status, 0, f"status of {what}")
    return plain.out.decode(), ours.out.decode()


def same(what, **env):
    plain, ours = outputs(what, **env)
    expect_equal(ours, plain, what)
    expect(ours, f"{what} prints nothing")


def without_timers(text):
    return re.sub(r"\b[0-9a-f]{16}\b",
                  lambda m: f"{int(m[0], 16) & ~TIMER_BIT:016x}", text)


def only_timers_left_out(what):
    plain, ours = outputs(what)
    expect(plain != without_timers(plain), f"{what} shows no full set")
    expect_equal(ours, without_timers(plain), what)
    # Where there are no timers there is nothing to leave out.
    same(what, PPROFC_PROFILES="heap")


@case
def masks_of_waiting_calls():
    only_timers_left_out("while_waiting")


@case
def masks_of_threads_to_be():
    only_timers_left_out("attributes")


@case
def masks_of_signalfd():
    only_timers_left_out("signalfd")


@case
def children_get_the_mask_they_are_given():
    same("spawned")


@case
def waits_for_signals_never_see_it():
    _, ours = outputs("taken")
    expect_equal(ours, "sigwait: 10\nsigwaitinfo: 10\nsigtimedwait: 10\n"
                       "nothing: -1\n", "taken")


@case
def pending_it_does_not_show():
    with lib.Directory() as d:
        ours = lib.run([lib.target("masks"), "pending"], d)
    expect_equal(ours.out, b"pending: 0, 0\n", "pending")


@case
def siginterrupt_reads_back():
    same("interrupts")
    same("interrupts", PPROFC_SIGNAL="none")


@case
def siginterrupt_does_not_change_our_handler():
    _, ours = outputs("kernels_flags")
    expect_equal(ours, "1 1\n", "kernel's")


@case
def sets_at_bad_addresses_are_refused():
    same("refused")


if __name__ == "__main__":
    lib.main()
