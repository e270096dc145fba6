#!/usr/bin/env python3
"""Processes that have become something else before they are killed, and what
`pprofc recover` then finds: those of tests/targets/changes.c."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import lib
from hosting import finish, kill
from killing import Place, dump_core, recover
from lib import case, expect, expect_equal

NOBODY = 65534


def is_root(test):
    if os.geteuid() != 0:
        lib.note(f"skipped {test}: not root")
    return os.geteuid() == 0


@contextlib.contextmanager
def started(place, *arguments, target=None, env=None, **popen):
    """changes.c when it is ready: (process, child). It is ended at the end."""
    process = place.start(
        [target or lib.target("changes"), *arguments], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={"PPROFC_HEAP_RATE": 1, **(env or {})},
        **popen)
    try:
        word, child = process.stdout.readline().split()
        expect_equal(word, b"ready", "first line")
        yield process, int(child)
    finally:
        finish(process)


def no_program(place):
    file = place.path / "no-program"
    file.write_text("this is none\n")
    file.chmod(0o755)
    return file


def expect_all(heap):
    made = heap.cum("alloc_objects")
    expect_equal((made["make_before"], made["make_after"]), (100, 50),
                 "objects made before and after")


def expect_only_in_a_core(place, *arguments):
    """What the manual says of a session that has lost its name."""
    with started(place, *arguments) as (process, _):
        expect_equal(place.session_files(), [], "files while it lives")
        kill(process)
        _, err = recover(place.sessions)
        expect("no session found" in err, err)
        expect_equal(lib.profiles(place.path), [], "profiles")
    (place.path / "work").chmod(0o777)
    pid, core = dump_core(
        place, [lib.target("changes"), *arguments, "abort"], "0x33")
    if core:
        recover("--core", core, "-o", f"{place.path}/cores/")
        (heap,) = [f for f in pathlib.Path(f"{place.path}/cores/").iterdir()
                   if f".{pid}.heap." in f.name]
        expect_all(lib.Profile(heap))


@case
def root_that_became_another_user_is_in_a_core_only():
    if is_root("root becoming another user"):
        with Place() as place:
            expect_only_in_a_core(place, "user", NOBODY)


@case
def failed_exec_and_what_follows_are_in_a_core_only():
    with Place() as place:
        expect_only_in_a_core(place, "exec", no_program(place))


@case
def root_that_stays_root_keeps_its_session():
    with Place() as place:
        with started(place, "user", os.geteuid()) as (process, _):
            kill(process)
            recover(place.sessions)
            expect_all(place.profile("heap", process.pid))


@case
def session_of_another_user_goes_where_root_says():
    if not is_root("a session of another user"):
        return
    with Place() as place:
        for path in (place.path, place.sessions):
            os.chown(path, NOBODY, NOBODY)
        library, target = (shutil.copy(f, place.path) for f in (
            lib.LIBRARY, lib.target("changes")))
        with started(place, "user", NOBODY, target=target,
                     env={"LD_PRELOAD": library}, user=NOBODY,
                     group=NOBODY, extra_groups=[]) as (process, _):
            kill(process)
            (session,) = place.session_files()
            _, err = recover(place.sessions)
            expect("1 session of other users left alone" in err, err)
            _, err = recover(session, status=1)
            expect("another user's" in err, err)
            expect_equal(place.session_files(), [session], "sessions")
            recover("-o", f"{place.path}/profiles/", session)
            expect_all(place.profile("heap", process.pid))
            expect_equal(place.session_files(), [], "sessions")


@case
def killed_child_that_recorded_nothing_leaves_nothing():
    with Place() as place:
        with started(place, "fork", "-") as (process, child):
            os.kill(child, 9)
            lib.wait_for(lambda: pathlib.Path(
                f"/proc/{child}/stat").read_text().split()[2] == "Z", "end")
            (session,) = place.session_files()
            _, err = recover(place.sessions)
            expect("1 session of living processes left alone" in err, err)
            expect_equal(place.session_files(), [session], "sessions")
            expect_equal(lib.profiles(place.path), [], "profiles")
            process.stdin.close()
            expect_equal(process.wait(20), 0, "status")
            expect_all(place.profile("heap", process.pid))


@case
def parent_of_a_child_that_recorded_nothing_is_recovered():
    """The child still has the session of its parent in its memory."""
    with Place() as place:
        with started(place, "fork", "-") as (process, child):
            process.kill()
            process.wait(20)
            recover(place.sessions)
            expect_all(place.profile("heap", process.pid))
            expect(os.path.exists(f"/proc/{child}"), "the child has ended")
            process.stdin.close()
            lib.wait_for(lambda: not os.path.exists(f"/proc/{child}/exe"),
                         "end of the child")
            expect_equal(place.session_files(), [], "sessions")
            expect_equal({f.name.split(".")[1] for f in lib.profiles(
                place.path)}, {str(process.pid)}, "processes with profiles")


if __name__ == "__main__":
    lib.main()
