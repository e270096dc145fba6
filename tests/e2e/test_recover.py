#!/usr/bin/env python3
"""Processes that were killed, and what `pprofc recover` makes of the sessions
they leave: the same profiles that a clean end would have written."""

import fcntl
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess

import lib
from killing import Killed, Place, check, in_profile, left, recover
from lib import case, expect, expect_equal

ROUNDS = 500 if lib.LONG else 24


def host(place, made=1000, freed=300, size=12345, ms=200, env=None):
    """session_host after its work, waiting for the end of its input."""
    variables = {"PPROFC_HEAP_RATE": 1}
    variables.update(env or {})
    process = place.start(
        [lib.target("session_host"), made, freed, size, ms],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
    try:
        expect_equal(process.stdout.readline(), b"ready\n", "first line")
    except BaseException:
        lib.end(process)
        raise
    return process


def finish(process):
    lib.end(process)
    process.stdin.close()
    process.stdout.close()


def kill(process, sig=signal.SIGKILL):
    process.send_signal(sig)
    process.wait(20)


@case
def killed_process_has_its_profiles():
    with Place() as place:
        process = host(place)
        try:
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
        finally:
            finish(process)


@case
def living_process_is_left_alone():
    with Place() as place:
        process = host(place)
        try:
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
        finally:
            finish(process)


@case
def one_at_a_time_reads_a_session():
    """Two would write its profiles twice."""
    with Place() as place:
        process = host(place)
        try:
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
        finally:
            finish(process)


@case
def killed_at_any_instant():
    rng = random.Random(4)
    checked = 0
    for number in range(ROUNDS):
        with Place() as place:
            killed = Killed(place, forks=rng.choice([0, 0, 3]))
            try:
                if number % 4:
                    killed.wait_for_work(1)
                try:
                    killed.process.wait(rng.uniform(0, 0.25))
                except subprocess.TimeoutExpired:
                    pass
                killed.kill()
                _, err = recover(place.sessions)
                checked += check(killed, err)
            finally:
                killed.kill()
    lib.note(f"{checked} of {ROUNDS} killed after their first object")
    expect(checked > ROUNDS / 2, f"only {checked} had begun")


@case
def killed_while_its_profiles_are_written():
    rng = random.Random(5)
    recovered = 0
    for _ in range(100 if lib.LONG else 8):
        with Place() as place:
            killed = Killed(place)
            try:
                killed.wait_for_work(2000)
                killed.process.send_signal(signal.SIGTERM)
                try:
                    killed.process.wait(rng.uniform(0, 0.02))
                except subprocess.TimeoutExpired:
                    pass
                killed.kill()
                _, err = recover(place.sessions)
                recovered += "recovered" in err
                # Two only if it ended between writing and noting so.
                least = sum(b.cpu_ns for b in killed.books()) > 100e6
                for kind, low in (("heap", 1), ("cpu", least)):
                    found = place.profiles(kind, killed.pid)
                    expect(low <= len(found) <= 2, f"{kind}: {found}")
                    for f in found:
                        expect(lib.Profile(f).samples, f"{f} is empty")
                for seen, b in zip(in_profile(
                        lib.Profile(place.profiles("heap", killed.pid)[0]), 4),
                                   killed.books()):
                    expect(2000 <= seen["alloc_objects"] <= b.make_begun,
                           f"{seen}, books {b}")
                expect_equal(place.session_files(), [], "sessions")
            finally:
                killed.kill()
    expect(recovered, "no one was killed early enough")


@case
def run_recovers_what_its_processes_left():
    script = ("$0 books 2 0 & while ! tr -d '\\0' <books | grep -q .; do :; "
              "done; kill -9 $!; wait; kill -9 $$")
    with Place() as place:
        other = host(place)
        try:
            other.kill()
            other.wait(20)
            (place.path / "books").write_bytes(bytes(64 * 2))
            done = subprocess.run(
                [lib.BUILD / "pprofc", "run", "-o", f"{place.path}/profiles/",
                 f"--session={place.sessions}", "--heap-rate=1", "--", "sh",
                 "-c", script, lib.target("killed")], cwd=place.path,
                env=lib.environment(False), stderr=subprocess.PIPE,
                timeout=60, check=False)
            err = done.stderr.decode()
            expect_equal(done.returncode, -9, f"status; {err}")
            expect("was ended by signal 9 (Killed); recovered" in err, err)
            expect(": ended without writing its profiles; recovered" in err,
                   err)
            names = [f.name for f in lib.profiles(place.path, "heap")]
            expect(any(n.startswith("killed.") for n in names), f"{names}")
            # That of a process which is not of this run.
            expect([f".{other.pid}." in f.name
                    for f in place.session_files()] == [True],
                   f"{place.session_files()}")
        finally:
            finish(other)


BOOT_ID, PIDNS, TICKS, PID = 24, 40, 48, 56  # offsets in the header


def changed(path, offset, layout, value):
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, offset, value)
    path.write_bytes(data)


@case
def identity_decides_who_is_meant():
    with Place() as place:
        process = host(place)
        try:
            path = place.session_files()[0]
            out, _ = recover("--list", place.sessions)
            fields = out.rstrip("\n").split("\t")
            expect_equal(len(fields), 7, f"fields of {out!r}")
            expect_equal((fields[0], fields[1], fields[5], fields[6]),
                         ("session_host", str(process.pid), "alive",
                          str(path)), "list")
            original = path.read_bytes()
            copy = place.path / "pprofc.1.1.session"
            for offset, layout, value, state in (
                    (TICKS, "Q", 1, "dead"),  # the pid is another's now
                    (PID, "I", 0x7ffffff0, "dead"),
                    (BOOT_ID, "16s", b"earlier boot id.", "dead"),
                    (PIDNS, "Q", 1, None)):
                copy.write_bytes(original)
                changed(copy, offset, layout, value)
                out, _ = recover("--list", copy)
                seen = out.split("\t")[5]
                expect(seen == state or (not state and
                                         seen in ("dead", "unknown")),
                       f"{out} is not {state}")
            if seen == "unknown":
                _, err = recover(copy, status=1)
                expect("another PID namespace" in err, err)
            expect_equal(lib.profiles(place.path), [], "profiles")
            recover("--force", copy)
            expect(not copy.exists(), "the session is there still")
            expect_equal(len(lib.profiles(place.path)), 2, "profiles")
            expect(process.poll() is None, "it has ended")
        finally:
            finish(process)


@case
def process_of_another_pid_namespace():
    with Place() as place:
        if subprocess.run(["unshare", "-pf", "true"], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            lib.note("skipped: no PID namespaces here")
            return
        process = place.start(
            ["unshare", "-pf", lib.target("session_host"), 100, 0, 999, 50],
            env={"PPROFC_HEAP_RATE": 1, "PPROFC_PROGRAM": "session_host"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            expect_equal(process.stdout.readline(), b"ready\n", "first line")
            out, _ = recover("--list", place.sessions)
            expect_equal(out.split("\t")[5], "alive", "state")
            lib.end(process)
            out, _ = recover("--list", place.sessions)
            expect(out.split("\t")[5] in ("dead", "unknown"), out)
            recover("--force", place.sessions)
            expect_equal(len(lib.profiles(place.path)), 2, "profiles")
        finally:
            finish(process)


@case
def image_that_was_replaced_by_a_raw_exec():
    code = ("import ctypes, os; a = (ctypes.c_char_p * 3)(b'/bin/sleep', "
            "b'60', None); e = (ctypes.c_char_p * 1)(None); "
            "x = [bytes(10000) for i in range(1000)]; "
            "ctypes.CDLL(None).syscall(59, a[0], a, e)")
    with Place() as place:
        process = place.start([lib.command("python3", "python3"), "-c", code],
                              env={"PPROFC_HEAP_RATE": 1000})
        try:
            lib.wait_for(lambda: "sleep" in open(
                f"/proc/{process.pid}/comm", encoding="ascii").read(), "exec")
            mine = [f for f in place.session_files()
                    if f".{process.pid}." in f.name]
            if not mine:
                lib.note("skipped: the exec was noticed")
                return
            out, _ = recover("--list", mine[0])
            expect_equal(out.split("\t")[5], "exec", "state")
            _, err = recover(mine[0])
            expect("executed another program" in err, err)
            place.profile("heap", process.pid)
            expect(process.poll() is None, "it has ended")
        finally:
            lib.end(process)


@case
def what_is_no_session_is_named():
    with Place() as place:
        process = host(place)
        try:
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
        finally:
            finish(process)


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
def killed_under_pressure():
    """Little address space, or a disk that is soon full."""
    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))

    def little_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    for limit in (little_memory, little_files):
        for _ in range(20 if lib.LONG else 2):
            with Place() as place:
                killed = Killed(place, preexec_fn=limit)
                try:
                    killed.wait_for_work(500)
                    killed.kill()
                    _, err = recover(place.sessions)
                    expect(check(killed, err), "not begun")
                finally:
                    killed.kill()


@case
def killed_with_a_full_disk():
    with lib.Directory() as disk:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none",
                           disk], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            lib.note("skipped: cannot mount a small disk")
            return
        try:
            for _ in range(20 if lib.LONG else 2):
                with Place(disk) as place:
                    process = host(place, made=30000, freed=10000)
                    try:
                        kill(process)
                        recover(place.sessions)
                        heap = place.profile("heap", process.pid)
                        expect_equal(sum(
                            s.values[heap.column("alloc_objects")]
                            for s in heap.samples
                            if s.labels.get("bytes") == "[12]288"
                            or "make_object" in {
                                f.name for l in s.stack for f in l.frames}
                        ), 30000, "objects made")
                        expect(any(c.startswith("INCOMPLETE")
                                   for c in heap.comments), heap.comments)
                        expect_equal(place.session_files(), [], "sessions")
                    finally:
                        finish(process)
        finally:
            subprocess.run(["umount", disk], check=True)


def cgroup():
    """A memory cgroup of ours, or None."""
    base = pathlib.Path("/sys/fs/cgroup")
    v2 = (base / "cgroup.controllers").exists()
    group = (base if v2 else base / "memory") / f"pprofc-test.{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.max" if v2 else "memory.limit_in_bytes")).write_text(
            str(60 << 20))
        swap = group / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")
    except OSError:
        return None
    return group


@case
def killed_by_the_kernel_out_of_memory():
    group = cgroup()
    if not group:
        lib.note("skipped: no memory cgroup to be had")
        return

    def join():
        (group / "cgroup.procs").write_text(str(os.getpid()))

    code = "x = []\nwhile True: x.append(b'x' * 100000)"
    with Place() as place:
        try:
            process = place.start(
                [lib.command("python3", "python3"), "-c", code],
                preexec_fn=join, env={"PPROFC_HEAP_RATE": 65536})
            try:
                expect_equal(process.wait(60), -9, "status")
            finally:
                lib.end(process)
            recover(place.sessions)
            heap = place.profile("heap", process.pid)
            live = heap.total("inuse_space")
            expect(30e6 < live < 80e6, f"{live} bytes in use at the end")
            lib.traces(heap.path)
        finally:
            group.rmdir()


@case
def exec_storm_that_is_killed():
    rng = random.Random(6)
    for _ in range(40 if lib.LONG else 4):
        with Place() as place:
            process = place.start(
                ["sh", "-c", "while :; do /bin/true; /bin/echo x; done"],
                stdout=subprocess.DEVNULL, env={"PPROFC_HEAP_RATE": 1})
            try:
                process.wait(rng.uniform(0.1, 0.4))
            except subprocess.TimeoutExpired:
                pass
            lib.end(process)
            recover(place.sessions)
            place.profile("heap", process.pid)
            for f in lib.profiles(place.path)[:5]:
                expect(lib.Profile(f).samples, f"{f} is empty")
            expect_equal(left(place), [], "what is left")


def dump_core(place, how, coredump_filter, env=None):
    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
        pathlib.Path("/proc/self/coredump_filter").write_text(coredump_filter)

    process = place.start([lib.target("fatal"), how], preexec_fn=prepare,
                          env={"PPROFC_HEAP_RATE": 1, **(env or {})})
    expect(process.wait(60) < 0, "it did not die")
    cores = list((place.path / "work").glob("core*"))
    if not cores:
        lib.note("skipped: the kernel does not write cores here")
    return process.pid, cores[0] if cores else None


@case
def session_out_of_a_core():
    shared, default = "0x3b", "0x33"
    for how, bits, env, inside in (
            ("overflow", shared, {}, True),
            ("overflow", default, {}, False),
            ("overflow", default, {"PPROFC_SESSION": "anonymous"}, True),
            ("abort", default, {}, True)):  # it was written; has no name
        with Place() as place:
            pid, core = dump_core(place, how, bits, env)
            if not core:
                return
            out = f"{place.path}/cores/"
            _, err = recover("--core", core, "-o", out,
                             status=0 if inside else 1)
            found = sorted(pathlib.Path(out).glob("*")) if inside else []
            if not inside:
                expect("coredump_filter" in err, err)
                continue
            expect(any(f".{pid}.heap." in f.name for f in found), f"{found}")
            profile = lib.Profile([f for f in found if ".heap." in f.name][0])
            expect(any("was ended by signal" in c for c in profile.comments),
                   f"{profile.comments}")
            lib.top(profile.path)
    with Place() as place:
        bad = place.path / "bad"
        bad.write_bytes(b"\x7fELF" + bytes(500))
        _, err = recover("--core", bad, status=1)
        expect("no core file" in err, err)


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
        process = host(place, env={"PPROFC_SESSION": "anonymous"})
        try:
            kill(process)
            _, err = recover(place.sessions)
            expect("no session found" in err, err)
            expect_equal(lib.profiles(place.path), [], "profiles")
        finally:
            finish(process)


if __name__ == "__main__":
    lib.main()
