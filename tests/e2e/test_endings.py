#!/usr/bin/env python3
"""However a process ends, its profiles are written and it ends the same way.

tests/targets/endings.c holds 3 MB, burns 80 ms and ends as it is told to.
"""

import contextlib

import lib
from lib import case, expect, expect_equal

PERIOD_MS = 10


@contextlib.contextmanager
def both(how, argv=None, **more):
    """Run without and with the library, which changes nothing that shows;
    yields the result with it."""
    argv = argv or [lib.target("endings"), how]
    with lib.Directory() as d:
        plain = lib.run(argv, d, preload=False)
    with lib.Directory() as d:
        ours = lib.run(argv, d, env={"PPROFC_HEAP_RATE": 1, **more})
        lib.expect_same(plain, ours)
        yield ours


def burnt_ms(profile):
    """CPU time under burn, and what was charged without a stack."""
    flat = profile.flat("cpu")
    return (profile.cum("cpu")["burn"] + flat["[thread end]"]
            + flat["[thread unseen]"]) / 1e6


def check_profiles(ours, least_ms, most_ms, program="endings", held=3000000):
    cpu = lib.Profile(lib.profile_of(ours, "cpu", program))
    ms = burnt_ms(cpu)
    expect(least_ms - PERIOD_MS <= ms <= most_ms + 2 * PERIOD_MS,
           f"{ms} ms of CPU, expected {least_ms} to {most_ms}")
    heap = lib.Profile(lib.profile_of(ours, "heap", program))
    column = heap.column("inuse_space")
    expect_equal(max((s.values[column] for s in heap.samples), default=0),
                 held, "largest piece in use")
    expect_equal(heap.cum("inuse_space")["hold"], held, "bytes held by hold")


def ends_like(how, least_ms=80, most_ms=80, **more):
    with both(how, **more) as ours:
        check_profiles(ours, least_ms, most_ms)


# The destructor's 30 ms come after the handlers that exit runs, so a profile
# that has them was written after the host's destructors.
@case
def returning_from_main():
    ends_like("return", 110, 115)


@case
def exit_from_main():
    ends_like("exit", 110, 115)


@case
def exit_from_a_thread():
    ends_like("thread_exit", 190, 195)


@case
def underscore_exit():
    ends_like("_exit")


@case
def underscore_exit_from_a_thread():
    ends_like("thread__exit", 160, 165)


@case
def capital_exit():
    ends_like("_Exit")


@case
def quick_exit():
    ends_like("quick_exit")


# The last thread runs the destructors after the end of its own account.
@case
def pthread_exit_of_main_lets_the_last_thread_end_it():
    ends_like("pthread_exit", 190, 195)


@case
def pthread_exit_of_main_with_an_interval():
    # A thread of ours must not keep the process alive.
    ends_like("pthread_exit", 190, 195, PPROFC_INTERVAL=30)


@case
def sigterm_by_default_action():
    ends_like("term")


@case
def sigint_by_default_action():
    ends_like("int")


@case
def sighup_by_default_action():
    ends_like("hup")


@case
def sighup_ignored_by_nohup_stays_ignored():
    argv = ["sh", "-c", 'trap "" HUP; exec "$0" hup',
            str(lib.target("endings"))]
    with both("hup", argv) as ours:
        expect(b"still here" in ours.out, f"it says {ours.out}")
        check_profiles(ours, 110, 115)


@case
def exec_completes_the_old_profile():
    for how in ("exec", "execvp"):
        ends_like(how)


@case
def exec_of_itself_gives_two_profiles():
    with both("self_exec") as ours:
        for kind in ("cpu", "heap"):
            found = [f for f in ours.profiles if f".{kind}" in f.name]
            expect(len(found) == 2 and
                   found[0].name.endswith(f".{kind}-2.pb.gz"),
                   f"{kind} profiles {[f.name for f in found]}")
            if kind == "cpu":
                old, new = (burnt_ms(lib.Profile(f)) for f in reversed(found))
                expect(60 <= old <= 110 and 90 <= new <= 140,
                       f"{old} and {new} ms of CPU")


@case
def failed_exec_goes_on():
    ends_like("failed_exec", 190, 195)


@case
def exit_during_execs_that_fail_leaves_one_profile():
    for _ in range(3):
        with both("exit_during_execs") as ours:
            heap = lib.Profile(lib.profile_of(ours, "heap", "endings"))
            expect_equal(heap.cum("inuse_space")["hold"], 3000000, "held")
            expect_equal(len(ours.profiles), 2, "cpu and heap")


@case
def vfork_child_leaves_its_parent_alone():
    ends_like("vfork_exit", 110, 115)
    ends_like("vfork_exec", 110, 115)


@case
def several_threads_exit_at_once():
    for _ in range(5):
        with both("many_exits") as ours:
            check_profiles(ours, 80, 405)


@case
def killed_process_writes_nothing():
    with both("kill") as ours:
        expect_equal(ours.profiles, [], "profiles")


if __name__ == "__main__":
    lib.main()
