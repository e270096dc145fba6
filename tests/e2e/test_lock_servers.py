#!/usr/bin/env python3
"""Lock profiles of servers under load: what clients get is the same, and one
known finding each is there. memcached is driven by clients of our own,
PostgreSQL by pgbench."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import lib
from lib import case, expect, expect_equal

KINDS = {"PPROFC_PROFILES": "mutex,block"}
LIMIT_S = 60


def delay(profile, *names, **labels):
    """The delay of samples with a function of these names and these labels."""
    index = profile.column("delay")
    return sum(s.values[index] for s in profile.samples
               if all(s.labels.get(k) == v for k, v in labels.items())
               and (not names or names_of(s) & set(names)))


def names_of(sample):
    return {f.name for l in sample.stack for f in l.frames}


def expect_share(part, whole, lowest, highest, what):
    got = 100 * part / max(whole, 1)
    lib.note(f"{what}: {got:.1f} % of {whole / 1e6:.3f} ms")
    expect(lowest <= got <= highest,
           f"{what} is {got} %, expected {lowest}..{highest}")


# --- memcached ----------------------------------------------------------------

CLIENTS, ROUNDS, COUNTED = 4, 100, 1000


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rwb")

    def ask(self, text, lines):
        self.file.write(text)
        self.file.flush()
        return [self.file.readline() for _ in range(lines)]

    def count(self, failed):
        """All clients count one number up: one item, one lock."""
        text = b"incr n 1 noreply\r\n" * COUNTED + b"get other\r\n"
        for _ in range(ROUNDS):
            if self.ask(text, 1) != [b"END\r\n"]:
                failed.append(self)

    def close(self):
        self.file.close()
        self.socket.close()


def use_memcached(path):
    clients = [Client(path) for _ in range(CLIENTS)]
    failed = []
    expect_equal(clients[0].ask(b"set n 0 0 1\r\n0\r\n", 1), [b"STORED\r\n"],
                 "answer")
    threads = [threading.Thread(target=c.count, args=(failed,))
               for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expect(not failed, "an answer is wrong")
    found = clients[0].ask(b"get n\r\n", 3)
    for c in clients:
        c.close()
    return found


def run_memcached(d, preload, env=None):
    socket_path = d / "s"
    user = ["-u", "root"] if os.geteuid() == 0 else []
    process = lib.start(
        [lib.command("memcached", "memcached"), *user, "-s", socket_path, "-t",
         "4"], d, preload, env)
    try:
        lib.wait_for(socket_path.exists, "socket of memcached")
        found = use_memcached(socket_path)
        process.terminate()
        return found, process.wait(30)
    finally:
        lib.end(process)


@case
def memcached():
    """One item that all count up: its lock. Idle workers wait in libevent.
    (While it starts, the main thread makes them wait, too.)"""
    with lib.Directory() as a, lib.Directory() as b:
        plain = run_memcached(a, False)
        expect_equal(plain[0][1], b"%d\r\n" % (CLIENTS * ROUNDS * COUNTED),
                     "sum")
        expect_equal(run_memcached(b, True, {**KINDS, "PPROFC_BLOCK": "all"}),
                     plain, "what clients and parent see")
        mutex, block = (lib.Profile(lib.profiles(b, kind)[0])
                        for kind in ("mutex", "block"))
    charged = mutex.total("delay")
    expect_share(delay(mutex, "event_base_loop", thread="mc-worker"), charged,
                 5, 100, "what workers make each other wait")
    locks = {s.labels["lock"] for s in mutex.samples}
    expect_share(max(delay(mutex, lock=lock, thread="mc-worker")
                     for lock in locks),
                 delay(mutex, thread="mc-worker"), 50, 100,
                 "the lock of the item")
    polls = delay(block, wait="poll", thread="mc-worker")
    expect_share(delay(block, "event_base_loop", wait="poll",
                       thread="mc-worker"), polls, 99, 100,
                 "idle workers in event_base_loop")


# --- PostgreSQL ---------------------------------------------------------------

BINARIES = "/usr/lib/postgresql"
SUMS = ("select count(*), sum(delta) from pgbench_history",
        "select sum(abalance) from pgbench_accounts",
        "select sum(bbalance) from pgbench_branches")
# One row of the smallest table, which all clients update.
LOAD = ["pgbench", "-n", "-c", "8", "-j", "2", "-t", "100",
        "--random-seed=1"]


def not_root():
    """The server refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} \
        if os.geteuid() == 0 else {}


class Cluster:
    """A server in a directory that its user may read."""

    def __init__(self, d):
        found = sorted(pathlib.Path(BINARIES).glob("*/bin"))
        expect(found, "postgres is missing: apt-get install postgresql")
        self.d = d
        self.binaries = found[-1]
        for path in (d, d / "work", d / "profiles"):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        self.env = {**lib.environment(False), "PGHOST": str(d), "PGUSER":
                    "postgres", "PGDATABASE": "postgres"}

    def ask(self, name, *args):
        done = subprocess.run(
            [str(self.binaries / name), *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env,
            cwd=self.d, timeout=LIMIT_S, check=False, **not_root())
        expect_equal(done.returncode, 0, f"{name} ({done.stderr[-300:]})")
        return done.stdout.decode()

    def is_ready(self):
        return subprocess.run(
            [str(self.binaries / "pg_isready"), "-q"], env=self.env,
            timeout=LIMIT_S, check=False).returncode == 0

    def start(self, preload, env):
        if preload:
            env = {**env, "LD_PRELOAD": shutil.copy(lib.LIBRARY, self.d)}
        with open(self.d / "log", "wb") as log:
            return lib.start(
                [self.binaries / "postgres", "-D", self.d / "data", "-k",
                 self.d, "-c", "listen_addresses=", "-c", "fsync=off"],
                self.d, preload, env, stdout=log, stderr=log, **not_root())

    def use(self):
        self.ask("pgbench", "-i", "-q", "-s", "1")
        said = self.ask(*LOAD)
        return [line for line in said.splitlines()
                if "processed" in line or "failed" in line] + \
            [self.ask("psql", "-XAtqc", sql) for sql in SUMS]


def run_postgres(d, preload, env=None):
    cluster = Cluster(d)
    cluster.ask("initdb", "-A", "trust", "--no-sync", "-U", "postgres", "-D",
                str(d / "data"))
    process = cluster.start(preload, env or {})
    try:
        lib.wait_for(cluster.is_ready, "the server", LIMIT_S)
        found = cluster.use()
        process.send_signal(signal.SIGINT)
        return found, process.wait(LIMIT_S)
    finally:
        lib.end(process)


@case
def postgresql():
    """Clients that update one row: sessions wait in ProcSleep for a lock that
    is no pthread's, and for their latch, which is a descriptor."""
    with lib.Directory() as a, lib.Directory() as b:
        plain = run_postgres(a, False)
        ours = run_postgres(b, True, {**KINDS,
                                      "PPROFC_BLOCK": "sem,poll"})
        expect_equal(ours, plain, "what clients and parent see")
        blocks = [lib.Profile(p) for p in lib.profiles(b, "block")]

    def total(*names, **labels):
        return sum(delay(p, *names, **labels) for p in blocks)

    sessions = total("PostgresMain")
    expect_share(total("ProcSleep"), sessions, 20, 95,
                 "waits for rows that another has changed")
    expect_share(total("secure_read"), sessions, 5, 80,
                 "waits for the next statement")
    expect_share(total("ProcSleep", wait="poll"), total("ProcSleep"), 90, 100,
                 "of these, waits for the latch")


if __name__ == "__main__":
    lib.main()
