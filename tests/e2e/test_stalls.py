#!/usr/bin/env python3
"""A heap snapshot by SIGUSR2 stops nobody and leaves nobody behind.

tests/targets/heartbeat.c watches itself: threads that allocate without a
pause, threads that sleep 1 ms at a time, and main, which gets the signal.
Each counts how late its beat came, without the time it waited for a
processor. A machine shared with others may stall a thread by itself, so a
round of dumps is repeated up to three times; a stall that the dump causes
comes with every dump and fails all three.
"""

import signal
import subprocess

import lib
from lib import case, expect

DUMPS = 6
STALL_MS = 10
ROUNDS = 3


def dump(process, directory, number, threads):
    """One SIGUSR2: the file comes, and the threads are as before."""
    process.send_signal(signal.SIGUSR2)
    path = lib.wait_for(
        lambda: [f for f in lib.profiles(directory, "heap")
                 if f.name.endswith(f".heap.{number}.pb.gz")],
        f"heap snapshot {number}")[0]
    lib.wait_for(lambda: lib.threads_of(process.pid) == threads,
                 "return to the threads there were before")
    return path


def check_snapshot(path):
    """What main holds for the snapshot is in it: 3 MB in one piece, sampled
    with P = 1 - exp(-3e6 / 524288) = 0.997, so asked of rate 1 only."""
    profile = lib.Profile(path)
    column = profile.column("inuse_space")
    held = [s.values[column] for s in profile.samples
            if s.stack and lib.name_of(s.stack[0]) == "main"]
    expect(3000000 in held, f"{path.name}: main holds {held}, not 3000000")


def round_of_dumps(spinners, rate, seconds=30):
    """Returns the stalls in ms, and the worst beat in us."""
    with lib.Directory() as d:
        process = lib.start([lib.target("heartbeat"), spinners, seconds], d,
                            stdout=subprocess.PIPE,
                            env={"PPROFC_HEAP_RATE": rate})
        try:
            line = process.stdout.readline()
            expect(line == b"ready\n", f"heartbeat says {line!r}")
            threads = lib.threads_of(process.pid)
            expect(len(threads) == spinners + 2,
                   f"{len(threads)} threads, not {spinners + 2}")
            for number in range(1, DUMPS + 1):
                path = dump(process, d, number, threads)
            if rate == 1:
                check_snapshot(path)
            process.terminate()
            out = process.communicate(timeout=20)[0].decode()
        finally:
            lib.end(process)
        expect(process.returncode == 0, f"status {process.returncode}: {out}")
    found = [line.split() for line in out.splitlines()]
    return ([int(w[1]) for w in found if w[0] == "stall"],
            next(int(w[1]) for w in found if w[0] == "worst"))


def no_stall(spinners, rate):
    seen = []
    for _ in range(ROUNDS):
        stalls, worst_us = round_of_dumps(spinners, rate)
        seen.append(worst_us)
        if not stalls:
            lib.note(f"{spinners} spinners, rate {rate}: worst beat "
                     f"{worst_us / 1000:.1f} ms late in {DUMPS} dumps")
            return
    raise lib.Failure(f"a thread was {[w // 1000 for w in seen]} ms late in "
                      f"{ROUNDS} rounds of {DUMPS} dumps, allowed "
                      f"{STALL_MS} ms")


@case
def dump_stalls_no_thread_of_two():
    no_stall(0, 524288)


@case
def dump_stalls_no_thread_of_many():
    no_stall(6, 524288)


@case
def dump_of_a_full_record_stalls_no_thread():
    no_stall(2, 1)


if __name__ == "__main__":
    lib.main()
