#!/usr/bin/env python3
"""Labels that a program gives to its threads, with preload/pprofc.h.

tests/targets/labels.c works under known labels, prints how long by its own
clock, and checks what it reads back. CPU timers tick in periods of CPU time, so
a label's time is right to within a few periods, whatever the machine does.
"""

import collections
import re
import shutil
import signal
import subprocess

import lib
from lib import case, expect, expect_equal

PERIOD_NS = 10_000_000
# A stretch of work begins and ends in the middle of a period, and a period's
# signal comes with the next tick of the clock.
PERIODS_OFF = 3


def run(d, *tests, env=None, profiles="cpu", **more):
    result = lib.run([lib.target("labels"), *tests], d, timeout=60,
                     env={"PPROFC_PROFILES": profiles, "PPROFC_LOG": "stderr",
                          **(env or {})}, **more)
    expect_equal(result.status, 0, f"status ({result.err[-300:]})")
    return result


def own_times(result):
    own, parts = collections.Counter(), collections.Counter()
    for line in result.out.decode().splitlines():
        m = re.fullmatch(r"(\S+=\S*) (\d+)", line)
        if m:
            own[m[1]] += int(m[2])
            parts[m[1]] += 1
    return own, parts


def times(profile, key, column="cpu"):
    i = profile.column(column)
    got = collections.Counter()
    for s in profile.samples:
        got[f"{key}={s.labels.get(key, '')}"] += s.values[i]
    return got


def check_times(result, key, program=None):
    own, parts = own_times(result)
    p = lib.Profile(lib.profile_of(result, "cpu", program))
    got = times(p, key)
    for label, ns in own.items():
        lib.note(f"{label}: {ns / 1e6:.1f} ms by its own clock, "
                 f"{got[label] / 1e6:.1f} ms in the profile")
        expect(abs(got[label] - ns) <= parts[label] * PERIODS_OFF * PERIOD_NS,
               f"{label}: {ns} ns by its own clock, {got[label]} in the "
               f"profile")
    expect(not [g for g in got if g not in own and g != f"{key}="],
           f"labels {got}, expected {own}")
    expect_equal(p.statistics().get("labels refused", 0), 0, "refused")
    return p


@case
def cpu_time_of_labels():
    with lib.Directory() as d:
        check_times(run(d, "split"), "request")


@case
def the_tool_selects_by_label():
    with lib.Directory() as d:
        path = lib.profile_of(run(d, "split"), "cpu")
        whole = lib.Profile(path)
        own = times(whole, "request")["request=checkout"]
        out, _ = lib.pprof("-symbolize=none", "-raw",
                           "-tagfocus=request=checkout", path)
        sums = [int(m[1]) for m in
                re.finditer(r"^ +\d+ +(\d+): ", out, re.M)]
        expect_equal(sum(sums), own, "sum under -tagfocus")
        out, _ = lib.pprof("-symbolize=none", "-tags", path)
        expect(re.search(r"request: Total \S+\n.*checkout", out, re.S),
               f"-tags shows {out!r}")


@case
def pushed_and_popped():
    with lib.Directory() as d:
        check_times(run(d, "nested"), "stage")


@case
def what_is_set_is_read():
    with lib.Directory() as d:
        result = run(d, "rules", "split")
        stats = lib.Profile(lib.profile_of(result, "cpu")).statistics()
        expect(stats["labels refused"] > 3, f"comments {stats}")
        expect(stats["label texts cut"] > 1, f"comments {stats}")
        expect(b"labels refused" in result.err, f"log {result.err}")


@case
def threads_inherit():
    with lib.Directory() as d:
        check_times(run(d, "inherit"), "tenant")


@case
def a_forked_child_keeps_them():
    with lib.Directory() as d:
        run(d, "forks")
        got = [times(lib.Profile(f), "job") for f in lib.profiles(d, "cpu")]
        expect_equal(len(got), 2, "profiles")
        child = next(g for g in got if "job=child" in g)
        parent = next(g for g in got if g is not child)
        for g, label, ms in ((parent, "parent", 200), (child, "parent", 300),
                             (child, "child", 200)):
            expect(abs(g[f"job={label}"] - ms * 1e6)
                   <= PERIODS_OFF * PERIOD_NS, f"{label}: {g}")


@case
def a_handler_reads_whole_values():
    with lib.Directory() as d:
        run(d, "handler")


@case
def a_change_that_a_handler_jumps_out_of_is_not_made():
    with lib.Directory() as d:
        run(d, "jumps")


@case
def a_change_that_an_exception_leaves_is_not_made():
    """Through a call of the library, from a handler: the program's own risk,
    but its labels go on."""
    with lib.Directory() as d:
        program = compiled(d, "throws", "-x", "c++", "-std=c++11",
                           "-fnon-call-exceptions", compiler="g++")
        result = lib.run([program, "throws"], d,
                         env={"PPROFC_PROFILES": "cpu"})
        expect_equal((result.status, result.err), (0, b""), "end")


@case
def waits_have_them_beside_their_own():
    with lib.Directory() as d:
        result = run(d, "waits", profiles="mutex,block",
                     env={"PPROFC_BLOCK_RATE": 1})
        p = lib.Profile(lib.profile_of(result, "block"))
        expect(any(s.labels.get("who") == "waiter"
                   and s.labels.get("wait") == "mutex" for s in p.samples),
               f"labels {[s.labels for s in p.samples]}")
        p = lib.Profile(lib.profile_of(result, "mutex"))
        expect(any(s.labels.get("who") == "holder" and "lock" in s.labels
                   for s in p.samples),
               f"labels {[s.labels for s in p.samples]}")


def heap_objects(d, *tests, **env):
    result = run(d, *tests, profiles="heap",
                 env={"PPROFC_HEAP_RATE": 1, **env})
    return lib.Profile(lib.profile_of(result, "heap"))


def of_allocate(p, key):
    got = collections.Counter()
    for s in p.samples:
        if any(re.fullmatch(r"(_ZL8)?allocatei?(\(.*\))?", f.name)
               for l in s.stack for f in l.frames):
            got[s.labels.get(key, "")] += s.values[0]
    return dict(got)


@case
def the_heap_has_them_when_asked():
    with lib.Directory() as d:
        p = heap_objects(d, "heap", PPROFC_HEAP_LABELS="yes")
        expect_equal(of_allocate(p, "cache"), {"one": 300, "two": 200, "": 100},
                     "objects")


@case
def the_heap_has_them_only_when_asked():
    with lib.Directory() as d:
        p = heap_objects(d, "heap")
        expect_equal(of_allocate(p, "cache"), {"": 600}, "objects")


@case
def their_order_does_not_matter():
    with lib.Directory() as d:
        p = heap_objects(d, "order", PPROFC_HEAP_LABELS="yes")
        rows = collections.Counter()
        for s in p.samples:
            if s.labels.get("x") == "1" and s.labels.get("y") == "2":
                rows[tuple(l.address for l in s.stack)] += 1
        expect(rows, "no sample has both labels")
        expect_equal(max(rows.values()), 1, "samples of one stack")


@case
def all_threads_have_theirs():
    with lib.Directory() as d:
        process = lib.start([lib.target("labels"), "threads"], d,
                            env={"PPROFC_PROFILES": "goroutine"},
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            expect_equal(process.stdout.readline(), b"ready\n", "first line")
            process.send_signal(signal.SIGUSR2)
            files = lib.wait_for(lambda: lib.profiles(d, "goroutine"),
                                 "goroutine profile")
            process.communicate(b"go on\n", timeout=20)
            p = lib.Profile(files[0])
            roles = sorted(s.labels["role"] for s in p.samples
                           if "role" in s.labels)
            expect_equal(roles, ["sleeper0", "sleeper1", "sleeper2"], "roles")
        finally:
            lib.end(process)


QUICK = ("rules", "handler", "jumps", "waits", "heap", "order", "forks", "inherit")


def compiled(d, name, *flags, compiler="gcc"):
    path = d / name
    subprocess.run(
        [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
         "-D_GNU_SOURCE", f"-I{lib.ROOT}/preload", *flags,
         str(lib.ROOT / "tests/targets/labels.c"), "-o", str(path)],
        check=True, stdin=subprocess.DEVNULL, env=lib.environment(False))
    return path


def without_the_library(name, *flags, tests=QUICK, **how):
    with lib.Directory() as d:
        program = compiled(d, name, *flags, **how)
        result = lib.run([program, *tests], d, preload=False, timeout=60)
        expect_equal(result.status, 0, f"status ({result.err[-300:]})")
        expect(result.out.endswith(b"done\n"), f"output {result.out!r}")


@case
def without_the_library_nothing_happens():
    without_the_library("plain")


@case
def linked_statically_nothing_happens():
    without_the_library("static", "-static")


@case
def as_cplusplus_nothing_happens():
    for flags in ((), ("-static",)):
        without_the_library("cxx", "-x", "c++", "-std=c++11", *flags,
                            compiler="g++", tests=QUICK + ("scoped", "throws"))


@case
def in_every_kind_of_program_labels_arrive():
    kinds = (("-fPIE", "-pie"), ("-fno-pic", "-no-pie"), ("-flto",),
             ("-masm=intel",))
    cxx = ("-x", "c++", "-std=c++11")
    programs = [("gcc", k) for k in kinds] + [("g++", cxx)]
    if shutil.which("clang"):
        programs += [("clang", k) for k in kinds[:2]] + [("clang++", cxx)]
    for compiler, flags in programs:
        with lib.Directory() as d:
            program = compiled(d, "arrive", *flags, compiler=compiler)
            tests = ("heap",) + ("scoped",) * ("c++" in flags)
            result = lib.run(
                [program, *tests], d,
                env={"PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": 1,
                     "PPROFC_HEAP_LABELS": "yes"})
            expect_equal(result.status, 0, f"{flags} ({result.err})")
            p = lib.Profile(lib.profile_of(result, "heap"))
            expect_equal(of_allocate(p, "cache"),
                         {"one": 300, "two": 200, "": 100},
                         f"{compiler} {flags}: objects")


if __name__ == "__main__":
    lib.main()
