#!/usr/bin/env python3
"""The session file of a live process, read by another one.

session_peek.c maps the file read-only at an address of its own choice and
knows only the headers of core/store: that it finds the right counts proves
that the layout holds no pointers and that what is published is complete.
"""

import glob
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile

import lib
from lib import case, expect, expect_equal

MADE, FREED, SIZE, BURN_MS = 1000, 300, 12345, 400


def peek(directory, path):
    """{name: value} of what session_peek prints."""
    tool = lib.build(directory, "e2e/session_peek.c", "session_peek",
                     "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra",
                     f"-I{lib.ROOT}/core/base", f"-I{lib.ROOT}/core/store")
    done = subprocess.run([tool, path, str(SIZE)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=20)
    expect(done.returncode == 0, f"session_peek {path}: {done.stderr}")
    return dict(line.split(" ", 1) for line in
                done.stdout.decode().splitlines())


class Host:
    """session_host, stopped after its work, with its session in a file."""

    def __init__(self, directory, sessions=None):
        self.sessions = sessions or directory / "sessions"
        self.sessions.mkdir(exist_ok=True)
        self.process = lib.start(
            [lib.target("session_host"), MADE, FREED, SIZE, BURN_MS],
            directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"PPROFC_SESSION": self.sessions, "PPROFC_HEAP_RATE": 1})
        try:
            line = self.process.stdout.readline()
            expect_equal(line, b"ready\n", "first line of session_host")
        except BaseException:
            self.close()
            raise

    def files(self):
        return sorted(self.sessions.iterdir())

    def close(self):
        lib.end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


def one_file(host):
    files = host.files()
    expect(len(files) == 1, f"{len(files)} files in PPROFC_SESSION: {files}")
    return files[0]


def check_counts(seen):
    expect_equal(int(seen["live"]), MADE - FREED, f"live objects of {SIZE}")
    expect_equal(int(seen["made"]), MADE, f"objects made of {SIZE}")
    ticks = int(seen["cpu"])
    expect(BURN_MS / 10 * 0.6 <= ticks <= BURN_MS / 10 * 1.4 + 5,
           f"{ticks} CPU samples after {BURN_MS} ms at 100 Hz")
    losses = {k: v for k, v in seen.items()
              if k.startswith("STAT_LOST") and int(v)}
    expect(not losses, f"losses {losses}")


def check_identity(seen, pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        start_ticks = f.read().rpartition(")")[2].split()[19]
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        boot_id = f.read().strip().replace("-", "")
    pidns = os.stat(f"/proc/{pid}/ns/pid").st_ino
    expect_equal(seen["pid"], str(pid), "pid")
    expect_equal(seen["uid"], str(os.getuid()), "uid")
    expect_equal(seen["start_ticks"], start_ticks, "start time")
    expect_equal(seen["boot_id"], boot_id, "boot id")
    expect_equal(seen["pidns"], str(pidns), "pid namespace")
    expect_equal(seen["exe"], str(lib.target("session_host")), "executable")


@case
def live_session_has_identity_and_counts():
    with lib.Directory() as d:
        host = Host(d)
        try:
            path = one_file(host)
            seen = peek(d, path)
            expect_equal(seen["state"], "1", "state")
            expect_equal(seen["file"], str(path), "its own name")
            check_identity(seen, host.process.pid)
            check_counts(seen)
        finally:
            host.close()


@case
def session_of_killed_process_stays_readable():
    with lib.Directory() as d:
        host = Host(d)
        try:
            host.process.send_signal(signal.SIGKILL)
            host.process.wait(20)
            seen = peek(d, one_file(host))
            expect_equal(seen["state"], "1", "state")
            check_counts(seen)
            expect(not lib.profiles(d), "a killed process wrote a profile")
        finally:
            host.close()


@case
def normal_exit_removes_the_session():
    with lib.Directory() as d:
        host = Host(d)
        try:
            one_file(host)
            host.process.stdin.close()
            expect_equal(host.process.wait(20), 0, "status")
            expect_equal(host.files(), [], "files left in PPROFC_SESSION")
            expect(lib.profiles(d, "cpu"), "no CPU profile")
            expect(lib.profiles(d, "heap"), "no heap profile")
        finally:
            host.close()


@case
def session_file_is_private_and_sparse():
    with lib.Directory() as d:
        host = Host(d)
        try:
            st = os.stat(one_file(host))
            expect_equal(oct(st.st_mode & 0o777), "0o600", "mode")
            expect(st.st_blocks * 512 < 4 << 20,
                   f"{st.st_blocks * 512} bytes used by a small session")
        finally:
            host.close()


@case
def process_without_samples_makes_no_session():
    with lib.Directory() as d:
        sessions = d / "sessions"
        sessions.mkdir()
        result = lib.run(["/bin/true"], d, env={"PPROFC_SESSION": sessions})
        expect_equal(result.status, 0, "status of /bin/true")
        expect_equal(result.profiles, [], "profiles of /bin/true")
        expect_equal(list(sessions.iterdir()), [], "files left")


@case
def anonymous_session_leaves_no_file():
    with lib.Directory() as d:
        before = set(glob.glob("/dev/shm/pprofc.*"))
        process = lib.start(
            [lib.target("session_host"), MADE, FREED, SIZE, 100], d,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"PPROFC_SESSION": "anonymous", "PPROFC_HEAP_RATE": 1})
        try:
            process.stdout.readline()
            mine = [f for f in set(glob.glob("/dev/shm/pprofc.*")) - before
                    if f".{process.pid}." in f]
            expect_equal(mine, [], "session files in /dev/shm")
            process.stdin.close()
            expect_equal(process.wait(20), 0, "status")
            expect(lib.profiles(d, "heap"), "no heap profile")
        finally:
            lib.end(process)
            process.stdout.close()


BOOT_ID, PIDNS, PID = 24, 40, 56  # offsets in the header


def killed_header(directory, sessions):
    """(pid, the first page) of the session of a process that was killed."""
    host = Host(directory, sessions)
    try:
        path = one_file(host)
        head = path.read_bytes()[:4096]
        host.process.kill()
        host.process.wait(20)
        path.unlink()
        return host.process.pid, bytearray(head)
    finally:
        host.close()


def changed(head, offset, layout, value):
    copy = bytearray(head)
    struct.pack_into(layout, copy, offset, value)
    return copy


def name_of_session(pid, created):
    return f"pprofc.{pid}.{created:x}.session"


@case
def sessions_left_behind_are_removed_but_for_the_newest():
    sessions = pathlib.Path(tempfile.mkdtemp(
        prefix="pprofc-test.", dir="/dev/shm"))
    with lib.Directory() as d:
        living = last = None
        try:
            pid, head = killed_header(d, sessions)
            living = Host(d, sessions)
            stay = {one_file(living).name}
            alive = living.process.pid
            files = {name_of_session(pid, 1000 + i): head for i in range(12)}
            stay |= {name_of_session(pid, 1000 + i) for i in range(4, 12)}
            old_boot = changed(head, BOOT_ID, "16s", b"earlier boot id.")
            files[name_of_session(pid, 5000)] = old_boot
            kept = {
                # Not older than this boot: another machine's, perhaps.
                name_of_session(pid, 5001): old_boot,
                name_of_session(pid, 1): changed(head, PIDNS, "Q", 1),
                name_of_session(alive, 2): changed(head, PID, "I", 1),
                name_of_session(alive, 3): one_file(living).read_bytes()[
                    :4096],
                name_of_session(pid, 4): b"",
                f"pprofc.{pid}.0005.session": head,
                f"pprofc.{pid}.6.session.old": head,
                f"pprofc.{pid}.session": head}
            stay |= set(kept)
            for name, content in {**files, **kept}.items():
                (sessions / name).write_bytes(content)
            os.utime(sessions / name_of_session(pid, 5000), (1e9, 1e9))
            last = Host(d, sessions)
            found = {f.name for f in last.files()}
            mine = {n for n in found if f".{last.process.pid}." in n}
            expect_equal(len(mine), 1, "files of the new process")
            expect_equal(sorted(found - mine), sorted(stay), "files")
        finally:
            for host in (living, last):
                if host:
                    host.close()
            shutil.rmtree(sessions)


if __name__ == "__main__":
    lib.main()
