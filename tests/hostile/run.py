#!/usr/bin/env python3
"""Hostile programs: one row a case (rows.py), with and without the library.

A program checks itself and prints "fine"; see hostile.h. A row is run without
the library, so that the case itself is right, and with it: the same output and
status, and the profiles as told. Each row has one of the settings, in turn;
the long version runs each with all settings, 20 times.

run.py [WORD...]   only rows whose name contains a WORD
"""

import collections
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

import rows
from rows import CPU, FULL, HEAP, NOTHING, ROWS, SEEN, lib
import wire

SETTINGS = {
    "default": {"PPROFC_SYMBOLS": "lines"},
    "cpu at the tick": {"PPROFC_CPU_HZ": 250},
    "every allocation": {"PPROFC_HEAP_RATE": 1},
}
TIMES = 20 if lib.LONG else 1
AT_ONCE = 2
LIMIT_S = 60

Done = collections.namedtuple("Done", "pid status out err")
File = collections.namedtuple("File", "path program pid kind number image")


# --- one run ------------------------------------------------------------------


def preloads(row, preload):
    return ":".join(filter(None, [
        row.before, str(lib.LIBRARY) if preload else "", row.behind]))


def run(row, argv, directory, preload, settings):
    """A row's program with the other preloads of the row."""
    env = {**settings, **row.env}
    if lib.LONG:
        env["HOSTILE_LONG"] = 1
    if preloads(row, preload):
        env["LD_PRELOAD"] = preloads(row, preload)
    process = lib.start([rows.hostile(argv[0]), *argv[1:]], directory, preload,
                        env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise lib.Failure(f"did not end in {LIMIT_S} s") from None
    finally:
        lib.end(process)
    return Done(process.pid, process.returncode, out, err)


def helpers_of(directory):
    """Who is still adding source lines to profiles there."""
    found = []
    for process in os.listdir("/proc"):  # a glob minds that some are gone
        try:
            words = pathlib.Path("/proc", process, "cmdline").read_bytes()
        except OSError:
            continue
        if b"pprofc-symbolize" in words and bytes(directory) in words:
            found.append(process)
    return found


def check(done, status, out):
    lib.expect_equal((done.status, done.out, done.err), (status, out, b""),
                     "status, output, errors")


# --- its profiles -------------------------------------------------------------


def files_of(directory):
    """Every file there is, which must be complete."""
    for path in sorted((directory / "profiles").iterdir()):
        lib.expect(path.name.endswith(".pb.gz"), f"{path.name} is left over")
        try:
            wire.read(path)
        except (ValueError, EOFError, OSError, IndexError, KeyError) as e:
            raise lib.Failure(f"{path.name}: {e!r}") from None
        program, pid, kind, *number = path.name[:-len(".pb.gz")].split(".")
        kind, _, image = kind.partition("-")
        yield File(path, program, int(pid), kind, number, int(image or 1))


def last_images(files, program, pid):
    """{kind: path} of one process; its last image counts, after an exec."""
    return {f.kind: f.path for f in sorted(files, key=lambda f: f.image)
            if (f.program, f.pid, f.number) == (program, pid, [])}


def check_processes(row, files):
    found = collections.Counter(
        program for program, _ in {(f.program, f.pid) for f in files})
    lib.expect_equal(type(row.processes)(found), row.processes,
                     "processes with profiles")


def check_cpu(row, path, setting):
    if setting != "cpu at the tick":
        return
    cpu = wire.sums(path, "cpu")
    # What no tick has seen is charged at the thread's end.
    seen = cpu["burn"] or (row.profile != SEEN and cpu["[thread end]"])
    lib.expect(seen, f"no burn among {list(cpu)[:20]}")
    for name in row.burns:
        lib.expect(cpu[name] or name == "burn",
                   f"no {name} among {list(cpu)[:20]}")


def records_all(row, setting):
    return {**SETTINGS[setting], **row.env}.get("PPROFC_HEAP_RATE") == 1


def check_heap(row, path):
    inuse = wire.sums(path, "inuse_space")
    lib.expect_equal({name: inuse[name] for name in row.holds}, row.holds,
                     "bytes in use")


def check_profiles(row, directory, pid, setting):
    """Those of the program itself hold what we know it did."""
    files = list(files_of(directory))
    own = last_images(files, row.program or row.argv[0], pid)
    if row.processes is not None:
        check_processes(row, files)
    if row.dumps is not None:
        dumps = [f.path.name for f in files if f.number]
        lib.expect(len(dumps) <= row.dumps, f"not asked for: {dumps}")
    if row.profile == NOTHING:
        lib.expect_equal(own, {}, "profiles")
    if row.profile in (FULL, SEEN, CPU):
        lib.expect("cpu" in own, "no cpu profile")
        check_cpu(row, own["cpu"], setting)
    if row.profile in (FULL, SEEN, HEAP) and records_all(row, setting):
        lib.expect("heap" in own, "no heap profile")
        check_heap(row, own["heap"])


def check_leftovers(row, done, began):
    """What it has left in /dev/shm; process ids come again, times do not."""
    left = [path for path in pathlib.Path("/dev/shm").glob(
        f"pprofc.{done.pid}.*") if path.stat().st_ctime > began]
    if row.leaves:
        for path in left:
            path.unlink()
    else:
        lib.expect(not left, f"left behind: {left}")


# --- rows ---------------------------------------------------------------------


def once(row, preload, setting, out):
    """Run a row, check it; what it printed."""
    with lib.Directory() as d:
        d.chmod(0o755)
        began = time.time() - 1
        done = run(row, row.argv, d, preload, SETTINGS[setting])
        check(done, row.status, done.out if out is None else out)
        lib.wait_for(lambda: not helpers_of(d), "end of the helper", 100)
        if row.then:
            check(run(row, row.then, d, False, {}), 0, b"fine\n")
        if preload:
            check_profiles(row, d, done.pid, setting)
            check_leftovers(row, done, began)
        return done.out


def run_row(row, settings):
    try:
        out = once(row, False, "default", row.out)
    except lib.Failure as e:
        raise lib.Failure(f"without the library: {e}") from None
    for setting in settings:
        for i in range(TIMES):
            try:
                once(row, True, setting, out)
            except lib.Failure as e:
                raise lib.Failure(f"{setting}, run {i + 1}: {e}") from None


def result_of(row, settings):
    """The line of a row, and whether it failed."""
    reason = rows.missing(row)
    if reason:
        return f"# {row.name}: skipped, {reason}", False
    try:
        run_row(row, settings)
        return f"ok - {row.name}", False
    except (lib.Failure, OSError) as e:
        reason = " | ".join(str(e).splitlines())
        return f"not ok - {row.name}: {reason}", True


def main():
    words = sys.argv[1:]
    failed = 0
    names = list(SETTINGS)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(result_of, row, names if lib.LONG
                            else [names[i % len(names)]])
                for i, row in enumerate(ROWS)
                if not words or any(w in row.name for w in words)]
        for job in jobs:
            line, bad = job.result()
            failed += bad
            print(line, flush=True)
    lib.note(f"summary: hostile: {len(jobs)} rows in {time.monotonic() - start:.0f} s, each "
             f"without the library and {TIMES} of {TIMES} with "
             f"{'each setting' if lib.LONG else 'one setting, in turn'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
