#!/usr/bin/env python3
"""Where threads are made: every one is counted, at the stack that made it.

tests/targets/thread_makers.c makes known numbers of threads in functions of
known names.
"""

import lib
from lib import case, expect, expect_equal

ONE, TWO = 13, 5


def run(d, *arguments, target="thread_makers", **env):
    plain = lib.run([lib.target(target), *arguments], d, preload=False)
    result = lib.run([lib.target(target), *arguments], d,
                     env={"PPROFC_PROFILES": "threadcreate",
                          "PPROFC_LOG": "stderr", **env})
    expect_equal(result.status, 0, "status")
    expect_equal(result.out, plain.out, "output")
    return result


def check_made(profile):
    expect_equal(profile.types, [["threadcreate", "count"]], "columns")
    made = profile.cum("threadcreate")
    expect_equal(made["maker_one"], ONE + 1, "threads made by maker_one")
    expect_equal(made["nested_maker"], 1, "made by a thread")
    expect_equal(made["maker_two"], TWO, "threads made by maker_two")
    expect_equal(made["maker_of_a_maker"], 1, "threads made by the third")
    expect_equal(made["maker_in_vain"], 0, "threads refused")
    expect_equal(profile.total("threadcreate"), ONE + TWO + 3,
                 "threads, the main one among them")
    expect_equal(profile.statistics()["threads created"], ONE + TWO + 3,
                 "the comment")


@case
def every_thread_is_counted_where_it_was_made():
    with lib.Directory() as d:
        result = run(d, ONE, TWO)
        check_made(lib.Profile(lib.profile_of(result, "threadcreate")))
        expect(b"not recorded" not in result.err, result.err)


@case
def the_leaf_is_the_caller():
    with lib.Directory() as d:
        result = run(d, ONE, TWO)
        p = lib.Profile(lib.profile_of(result, "threadcreate"))
        leaves = p.flat("threadcreate")
        expect_equal(set(leaves), {"maker_one", "maker_two",
                                   "maker_of_a_maker", "_start"}, "leaves")


@case
def a_program_of_one_thread_has_its_main_thread():
    with lib.Directory() as d:
        p = lib.Profile(lib.profile_of(run(d), "threadcreate"))
        expect_equal(p.total("threadcreate"), 1, "threads")
        expect_equal(lib.name_of(p.samples[0].stack[0]), "_start", "its frame")
        expect_equal(p.samples[0].labels, {}, "labels")
        expect_equal(p.fields["PeriodType"], "threadcreate count", "period")
        expect_equal(p.fields["Period"], "1", "period")


@case
def a_forked_child_counts_for_itself():
    with lib.Directory() as d:
        result = run(d, ONE, TWO, "fork")
        files = lib.profiles(d, "threadcreate")
        expect_equal(len(files), 2, "profiles")
        for f in files:
            check_made(lib.Profile(f))


@case
def the_tool_shows_it():
    with lib.Directory() as d:
        path = lib.profile_of(run(d, ONE, TWO), "threadcreate")
        rows = lib.top(path)
        share = 100 * (ONE + 1) / (ONE + TWO + 3)
        expect(abs(rows["maker_one"].cum_percent - share) < 0.1,
               f"maker_one has {rows['maker_one']}, expected {share:.1f} %")


@case
def it_is_not_made_unasked():
    with lib.Directory() as d:
        run(d, ONE, TWO, PPROFC_PROFILES="cpu,heap")
        expect_equal(lib.profiles(d, "threadcreate"), [], "profiles")


@case
def beside_all_others():
    with lib.Directory() as d:
        result = run(d, ONE, TWO,
                     PPROFC_PROFILES="cpu,heap,mutex,block,threadcreate")
        check_made(lib.Profile(lib.profile_of(result, "threadcreate")))


if __name__ == "__main__":
    lib.main()
