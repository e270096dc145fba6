#!/usr/bin/env python3
"""Whose session it is: `pprofc recover` takes those of processes that are gone,
whatever has their process ids now, wherever they were, whatever they became."""

import pathlib
import struct
import subprocess

import lib
from hosting import finish, host, hosted
from killing import Place, dump_core, recover
from lib import case, expect, expect_equal


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
        with hosted(place) as process:
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
def session_out_of_a_core():
    shared, default = "0x3b", "0x33"
    for how, bits, env, inside in (
            ("overflow", shared, {}, True),
            ("overflow", default, {}, False),
            ("overflow", default, {"PPROFC_SESSION": "anonymous"}, True),
            ("abort", default, {}, True)):  # it was written; has no name
        with Place() as place:
            pid, core = dump_core(
                place, [lib.target("fatal"), how], bits, env)
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


if __name__ == "__main__":
    lib.main()
