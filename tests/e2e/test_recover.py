#!/usr/bin/env python3
"""Sessions that killed processes leave, and what `pprofc recover` makes of
them: the same profiles that a clean end would have written."""

import fcntl
import os
import shutil
import subprocess

import lib
from hosting import finish, hosted, kill
from killing import Place, recover
from lib import case, expect, expect_equal


@case
def killed_process_has_its_profiles():
    with Place() as place:
        with hosted(place) as process:
            kill(process)
            _, err = recover(place.sessions)
            heap = place.profile("heap", process.pid)
            cpu = place.profile("cpu", process.pid)
            made = heap.cum("alloc_objects")["make_object"]
            live = heap.cum("inuse_objects")["make_object"]
            expect_equal((made, live), (1000, 700), "objects made, in use")
            lib.expect_hot(cpu.path, "burn", 80)
            expect(f"process {process.pid}: ended without" in err, err)
            for p in (heap, cpu):
                expect(any(c.startswith("recovered: process")
                           for c in p.comments), p.comments)
                expect(any(c.startswith("data until: 20")
                           for c in p.comments), p.comments)
            expect("Duration" in cpu.fields, cpu.fields)
            expect_equal(place.session_files(), [], "sessions")
            recover(place.sessions)
            expect_equal(len(lib.profiles(place.path)), 2, "profiles")


@case
def living_process_is_left_alone():
    with Place() as place:
        with hosted(place) as process:
            _, err = recover(place.sessions)
            expect("left alone" in err, err)
            expect_equal(lib.profiles(place.path), [], "profiles")
            path = place.session_files()[0]
            before = path.read_bytes()
            recover(path, status=1)
            recover("--snapshot", "-o", f"{place.path}/snap/", path)
            expect_equal(path.read_bytes() == before, True, "unchanged")
            snaps = sorted((place.path / "snap").iterdir())
            expect_equal(len(snaps), 2, f"{snaps}")
            heap = lib.Profile(snaps[1])
            expect_equal(heap.cum("inuse_objects")["make_object"], 700,
                         "objects in use")
            process.stdin.close()
            expect_equal(process.wait(20), 0, "status")
            place.profile("heap", process.pid)


@case
def one_at_a_time_reads_a_session():
    """Two would write its profiles twice."""
    with Place() as place:
        with hosted(place) as process:
            kill(process)
            (session,) = place.session_files()
            with open(place.sessions / session, "rb") as other:
                fcntl.flock(other, fcntl.LOCK_EX)
                recover(place.sessions)
                expect_equal(lib.profiles(place.path), [], "profiles of one "
                             "that is being read by somebody else")
            recover(place.sessions)
            expect_equal(len(lib.profiles(place.path)), 2, "profiles")
            expect_equal(place.session_files(), [], "sessions")


@case
def what_is_no_session_is_named():
    with Place() as place:
        with hosted(place) as process:
            kill(process)
            path = place.session_files()[0]
            data = path.read_bytes()
            bad = place.path / "bad"
            for content, reason in (
                    (b"", "nothing in it"),
                    (b"hello" * 100, "no session of pprofc"),
                    (data[:100000], "cut off"),
                    (data[:8] + b"\x63" + data[9:], "another version"),
                    (data[:12] + b"\0\0" + data[14:], "damaged")):
                bad.write_bytes(content)
                _, err = recover(bad, status=1)
                expect(reason in err, err)
                expect(bad.exists(), "it was removed")
            recover(place.path / "none", status=1)
            expect_equal(lib.profiles(place.path), [], "profiles")
            recover("--no-such-option", status=125)


@case
def session_stays_until_its_profiles_are_written():
    with Place() as place:
        with hosted(place) as process:
            kill(process)
            (session,) = place.session_files()
            before = session.read_bytes()
            output = place.path / "profiles"
            output.rmdir()
            output.touch()  # in its place
            for where, reason in (((), f"{output}/"),
                                  (("-o", "/proc/none/"), "/proc/none/")):
                _, err = recover(*where, place.sessions, status=1)
                for kind in "cpu", "heap":
                    expect(f"no {kind} profile written" in err, err)
                expect("Not a directory" in err or "No such file" in err, err)
                expect(f"not all was written to {reason}" in err and
                       "the session stays" in err and f" {session}`" in err,
                       err)
                expect(session.read_bytes() == before, "it was changed")
            recover("-o", f"{place.path}/elsewhere/", session)
            (heap,) = (place.path / "elsewhere").glob("*.heap.*")
            expect_equal(lib.Profile(heap).cum("inuse_objects")["make_object"],
                         700, "objects in use")
            expect_equal(place.session_files(), [], "sessions")


@case
def replaced_program_gives_no_names():
    with Place() as place:
        program = place.path / "session_host"
        shutil.copy(lib.target("session_host"), program)
        process = place.start([program, 100, 0, 999, 100],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env={"PPROFC_HEAP_RATE": 1})
        try:
            process.stdout.readline()
            kill(process)
            program.unlink()
            shutil.copy(lib.target("killed"), program)
            recover("--keep", place.sessions)
            heap = place.profile("heap", process.pid)
            names = set(heap.cum("alloc_objects"))
            expect(not names & {"make_object", "main", "work"}, f"{names}")
            expect(any("another build" in c for c in heap.comments),
                   f"{heap.comments}")
            recover("--exe", lib.target("session_host"), "-o",
                    f"{place.path}/again/", place.sessions)
            again = [lib.Profile(f) for f in (place.path / "again").iterdir()
                     if ".heap." in f.name]
            expect("make_object" in again[0].cum("alloc_objects"), "no names")
            expect_equal(place.session_files(), [], "sessions")
        finally:
            finish(process)


@case
def vdso_of_a_dead_process_has_names():
    code = ("import time\nwhile time.process_time() < 1: time.time()\n"
            "print('ready', flush=True)\ntime.sleep(60)")
    with Place() as place:
        process = place.start(
            [lib.command("python3", "python3"), "-c", code],
            stdout=subprocess.PIPE)
        try:
            expect_equal(process.stdout.readline(), b"ready\n", "first line")
            lib.end(process)
            recover(place.sessions)
            cpu = max((lib.Profile(f) for f in place.profiles(
                "cpu", process.pid)), key=lambda p: p.total("cpu"))
            expect(any(n.startswith("__vdso_") for n in cpu.cum("cpu")),
                   f"{cpu.flat('cpu')}")
        finally:
            lib.end(process)
            process.stdout.close()


@case
def session_that_was_never_finished_goes():
    with Place() as place:
        gone = subprocess.Popen(["true"])
        gone.wait()
        names = [f"pprofc.{gone.pid}.1.session", f"pprofc.{gone.pid}.2.session",
                 f"pprofc.{os.getpid()}.3.session"]
        for name in names:
            (place.sessions / name).touch()
        for name in names[1:]:
            os.utime(place.sessions / name, (1e9, 1e9))
        _, err = recover(place.sessions)
        expect("3 sessions without samples" in err, err)
        expect_equal([f.name for f in place.session_files()],
                     sorted([names[0], names[2]]), "files")


@case
def anonymous_session_leaves_nothing_to_recover():
    with Place() as place:
        with hosted(place, env={"PPROFC_SESSION": "anonymous"}) as process:
            kill(process)
            _, err = recover(place.sessions)
            expect("no session found" in err, err)
            expect_equal(lib.profiles(place.path), [], "profiles")


if __name__ == "__main__":
    lib.main()
