#!/usr/bin/env python3
"""Hostile programs: one row a case, with and without the library.

A program checks itself and prints "fine"; see hostile.h. A row is run without
the library, so that the case itself is right, and with it: the same output and
status, and the profiles as told. Each row has one of the settings, in turn;
the long version runs each with all settings, 20 times.
"""

import collections
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))

import lib  # noqa: E402
import wire  # noqa: E402

SETTINGS = {
    "default": {},
    "cpu at the tick": {"PPROFC_CPU_HZ": 250},
    "every allocation": {"PPROFC_HEAP_RATE": 1},
}
TIMES = 20 if lib.LONG else 1
LIMIT_S = 60
HELD = 1000000

# What a row's profiles must hold.
FULL = "what hold() and burn() leave"
CPU = "what burn() leaves"
HEAP = "what hold() leaves"
VALID = "anything that is complete"
NOTHING = "no file"

Row = collections.namedtuple(
    "Row", "name argv status profile env before behind out root leaves then",
    defaults=(0, FULL, {}, "", "", b"fine\n", False, False,
              None))
Done = collections.namedtuple("Done", "pid status out err")


def hostile(name):
    return str(lib.BUILD / "hostile" / name)


def packaged(name):
    """A library of a package that may not be there."""
    found = list(pathlib.Path("/usr/lib").glob(f"*/{name}"))
    return str(found[0]) if found else None


def ways(program, names, **more):
    return [Row(f"{program}_{n}", [program, n], **more) for n in names.split()]


ROWS = [
    *ways("descriptors", "count"),
    *ways("descriptors", "close_everything", out=b""),
    Row("descriptors_reuse", ["descriptors", "reuse"],
        then=["descriptors", "reopened"]),
    Row("descriptors_standard_ones_closed",
        ["descriptors", "standard_ones_closed"], out=b"",
        then=["descriptors", "standard_ones_checked"]),
    *ways("descriptors", "three_files", profile=VALID),
    *ways("confined", "address_space no_pending_signals no_stack_growth "
          "removed_directory"),
    *ways("confined", "no_address_space", profile=VALID),
    *ways("confined", "file_size", profile=VALID),
    *ways("confined", "no_new_process no_permissions other_user without_proc "
          "empty_dev user_namespace other_namespaces", root=True,
          profile=VALID),
    *ways("confined", "confined_root", root=True, profile=VALID),
    *ways("children", "raw_clone small_fork vfork_signal vfork_many spawned "
          "shells daemonize double_fork one_after_another child_signals "
          "ignored_children"),
    *ways("images", "by_main by_thread"),
    # Nobody can clean up: the samples stay in /dev/shm.
    *ways("images", "by_system_call", profile=VALID, leaves=True),
    Row("images_chain", ["images", "chain", "20"], profile=VALID),
    *ways("stacks", "small_threads signal_storm stack_overflow jump_out "
          "cancel_deferred cancel_asynchronous"),
    *ways("places", "tls_destructors atfork_handlers once_only loader_lock "
          "stream_lock exit_elsewhere quickly main_leaves others_run_on"),
    Row("static_init", ["static_init"]),
    *ways("ends", "siblings handled stopped"),
    *[Row(f"ends_raise_{s}", ["ends", "raise", str(s)], status=-s, out=b"",
          profile=VALID)
      for s in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 24, 25, 26, 27,
                29, 31, 34, 40, 60)],
    *[Row(f"ends_fault_{s}", ["ends", "fault", str(s)], status=-s, out=b"",
          profile=VALID) for s in (4, 6, 7, 8, 11)],
    *ways("loader", "deepbind come_and_go errors new_namespace"),
    Row("bind_now", ["loader", "come_and_go"], env={"LD_BIND_NOW": 1}),
    Row("audit", ["loader", "come_and_go"],
        env={"LD_AUDIT": hostile("libaudit.so")}),
    Row("audit_of_children", ["children", "shells"],
        env={"LD_AUDIT": hostile("libaudit.so")}),
    Row("constructed_before_us", ["places", "others_run_on"],
        behind=hostile("liblast.so")),
    Row("constructed_after_us", ["places", "others_run_on"],
        before=hostile("liblast.so")),
    Row("own_names", ["own_names"]),
    Row("static", ["static"], profile=NOTHING),
    Row("static_pie", ["static_pie"], profile=NOTHING),
    # gcc's runtime wants to be first in the list, whoever else is in it.
    Row("asan", ["asan"], profile=CPU,
        env={"ASAN_OPTIONS": "verify_asan_link_order=0"}),
    Row("tsan", ["tsan"], profile=VALID),
    Row("ubsan", ["ubsan"], profile=CPU),
    *[Row(f"{short}_{where}", ["places", "exit_elsewhere"],
          profile=profile, **{where: packaged(file)})
      for short, file in (("jemalloc", "libjemalloc.so.2"),
                          ("tcmalloc", "libtcmalloc_minimal.so.4"),
                          ("eatmydata", "libeatmydata.so"))
      for where, profile in (
          ("behind", FULL), ("before", FULL if short == "eatmydata" else CPU))],
]


def preloads(row, preload):
    return ":".join(filter(None, [
        row.before, str(lib.LIBRARY) if preload else "", row.behind]))


def run(row, argv, directory, preload, settings):
    """A row's program with the other preloads of the row."""
    env = {**row.env, **settings}
    if lib.LONG:
        env["HOSTILE_LONG"] = 1
    if preloads(row, preload):
        env["LD_PRELOAD"] = preloads(row, preload)
    process = lib.start([hostile(argv[0]), *argv[1:]], directory, preload, env,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise lib.Failure(f"did not end in {LIMIT_S} s") from None
    finally:
        lib.end(process)
    return Done(process.pid, process.returncode, out, err)


def check(row, done):
    lib.expect_equal((done.status, done.out, done.err),
                     (row.status, row.out, b""), "status, output, errors")


def check_profiles(row, directory, pid, setting):
    """Every file is complete; those of the program itself hold what we know
    it did."""
    program = row.argv[0]
    found = {}
    for path in (directory / "profiles").iterdir():
        lib.expect(path.name.endswith(".pb.gz"), f"{path.name} is left over")
        try:
            wire.read(path)
        except (ValueError, EOFError, OSError, IndexError, KeyError) as e:
            raise lib.Failure(f"{path.name}: {e!r}") from None
        for kind in ("cpu", "heap"):
            if path.name == f"{program}.{pid}.{kind}.pb.gz":
                found[kind] = path
    if row.profile == NOTHING:
        lib.expect_equal(found, {}, "profiles")
    if row.profile in (FULL, CPU):
        lib.expect("cpu" in found, "no cpu profile")
        if setting == "cpu at the tick":
            cpu = wire.sums(found["cpu"], "cpu")
            # What no tick has seen is charged at the thread's end.
            lib.expect(cpu["burn"] or cpu["[thread end]"],
                       f"no burn among {list(cpu)[:20]}")
    if row.profile in (FULL, HEAP) and setting == "every allocation":
        lib.expect("heap" in found, "no heap profile")
        lib.expect_equal(wire.sums(found["heap"], "inuse_space")["hold"],
                         HELD, "bytes held by hold")


def once(row, preload, setting):
    with lib.Directory() as d:
        d.chmod(0o755)
        try:
            done = run(row, row.argv, d, preload, SETTINGS[setting])
            check(row, done)
            if row.then:
                check(row._replace(out=b"fine\n"),
                      run(row, row.then, d, False, {}))
            if preload:
                check_profiles(row, d, done.pid, setting)
                left = list(pathlib.Path("/dev/shm").glob(
                    f"pprofc.{done.pid}.*"))
                lib.expect(not left or done.status < 0 or row.root
                           or row.leaves,
                           f"left behind: {left}")
        except lib.Failure as e:
            how = setting if preload else "without the library"
            raise lib.Failure(f"{how}: {e}") from None


def missing(row):
    """Why a row cannot be run here."""
    if row.root and os.geteuid() != 0:
        return "needs root"
    if row.before is None or row.behind is None:
        return "the other library is not installed"
    return None


def run_row(row, settings):
    reason = missing(row)
    if reason:
        lib.note(f"{row.name}: skipped, {reason}")
        return
    once(row, False, "default")
    for setting in settings:
        for _ in range(TIMES):
            once(row, True, setting)


def main():
    words = sys.argv[1:]
    failed = 0
    names = list(SETTINGS)
    start = time.monotonic()
    for i, row in enumerate(ROWS):
        if words and not any(w in row.name for w in words):
            continue
        settings = names if lib.LONG else [names[i % len(names)]]
        try:
            run_row(row, settings)
            print(f"ok - {row.name}", flush=True)
        except (lib.Failure, OSError) as e:
            failed += 1
            reason = " | ".join(str(e).splitlines())
            print(f"not ok - {row.name}: {reason}", flush=True)
    lib.note(f"{time.monotonic() - start:.0f} s, {TIMES} of {TIMES} with "
             f"{'each setting' if lib.LONG else 'one setting each, in turn'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
