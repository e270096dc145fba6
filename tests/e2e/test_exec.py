#!/usr/bin/env python3
"""Programs that start programs: PPROFC_FOLLOW, and what dlopen depends on."""

import subprocess

import lib
from lib import case, expect, expect_equal

EXECS = ("execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle",
         "fexecve", "execveat")
SPAWNS = ("spawn", "spawnp", "vfork")
PRINT = ["/bin/sh", "-c", 'echo "child: ${LD_PRELOAD-none}"']


def preload_of_child(how, preload=str(lib.LIBRARY), **env):
    with lib.Directory() as d:
        result = lib.run([lib.target("spawner"), how, *PRINT], d,
                         env={"LD_PRELOAD": preload, **env})
        expect_equal((result.status, result.err), (0, b""), "status, stderr")
        lines = dict(line.split(": ", 1) for line in
                     result.out.decode().splitlines() if ": " in line)
        if how in SPAWNS:
            expect_equal(lines["mine"], preload, f"{how}: own LD_PRELOAD")
            expect("status 0\n" in result.out.decode(), f"{result.out}")
        return lines["child"]


@case
def follow_yes_hands_the_library_on():
    for how in EXECS + SPAWNS:
        expect_equal(preload_of_child(how), str(lib.LIBRARY), how)


@case
def follow_no_takes_the_library_out():
    for how in EXECS + SPAWNS:
        expect_equal(preload_of_child(how, PPROFC_FOLLOW="no"), "none", how)


@case
def follow_no_keeps_other_libraries():
    with lib.Directory() as d:
        other = d / "libother.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-o", other,
                        "/dev/null"], check=True)
        ours = str(lib.LIBRARY)
        for preload in (f"{ours}:{other}", f"{other}:{ours}",
                        f"{other} {ours}", f"{ours} {other} {ours}"):
            for how in ("execve", "spawn", "execl"):
                expect_equal(preload_of_child(how, preload,
                                              PPROFC_FOLLOW="no"),
                             str(other), f"{how} of {preload!r}")


@case
def empty_environment_stays_empty():
    for follow in ("yes", "no"):
        with lib.Directory() as d:
            result = lib.run(
                [lib.target("spawner"), "empty", "/usr/bin/env"], d,
                env={"PPROFC_FOLLOW": follow})
            expect_equal((result.status, result.out), (0, b""), follow)


@case
def status_and_output_of_children_are_their_own():
    for how in EXECS + SPAWNS:
        argv = [lib.target("spawner"), how, "/bin/sh", "-c",
                "echo out; echo err >&2; exit 3"]
        with lib.Directory() as d:
            plain = lib.run(argv, d, preload=False)
        with lib.Directory() as d:
            lib.expect_same(plain, lib.run(argv, d),
                            [(rb"mine: .*\n", b"mine\n")])


@case
def programs_in_a_chain_have_a_profile_each():
    with lib.Directory() as d:
        result = lib.run(
            [lib.target("spawner"), "execve", lib.target("spawner"), "spawn",
             "/bin/true"], d, env={"PPROFC_HEAP_RATE": 1})
        expect_equal(result.status, 0, "status")
        names = sorted(f.name for f in lib.profiles(d) if "spawner" in f.name)
        expect(names, f"files {[f.name for f in result.profiles]}")


@case
def dlopen_sees_the_callers_runpath():
    with lib.Directory() as d:
        (d / "private").mkdir()
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-x", "c", "-o",
             d / "private" / "libanswer.so", "-"],
            input=b"int answer(void) { return 42; }", check=True)
        program = lib.build(d, "targets/runpath.c", "runpath", "-ldl",
                            "-Wl,--enable-new-dtags",
                            "-Wl,-rpath,$ORIGIN/private")
        for preload in (False, True):
            result = lib.run([program, "libanswer.so"], d, preload)
            expect_equal((result.status, result.out), (0, b"answer 42\n"),
                         f"with the library: {preload}")


def exec_fails(directory, ms, **env):
    """What the other thread of tests/targets/exec_fails.c did, by its own
    account."""
    no_program = directory / "no_program"
    no_program.write_bytes(b"\0no program")
    no_program.chmod(0o755)
    result = lib.run([lib.target("exec_fails"), ms, no_program], directory,
                     env=env)
    expect_equal((result.status, result.err), (0, b""), "status, stderr")
    did = dict(line.split() for line in result.out.decode().splitlines())
    return result, int(did["objects"]), int(did["cpu"])


def sum_under(profile, function, column):
    index = profile.column(column)
    return sum(s.values[index] for s in profile.samples
               if any(lib.name_of(f) == function for f in s.stack))


@case
def failed_execs_lose_no_allocation():
    with lib.Directory() as d:
        result, objects, _ = exec_fails(d, 50, PPROFC_HEAP_RATE=1,
                                        PPROFC_PROFILES="heap")
        profile = lib.Profile(lib.profile_of(result, "heap"))
        expect_equal(sum_under(profile, "worker", "alloc_objects"), objects,
                     "allocations of the other thread")


@case
def failed_execs_lose_no_cpu_time():
    # One thread: one expiry a period of its CPU time, whatever the phase, and
    # what it uses after it has looked at its clock.
    with lib.Directory() as d:
        result, _, cpu = exec_fails(d, 300, PPROFC_CPU_HZ=100,
                                    PPROFC_PROFILES="cpu")
        profile = lib.Profile(lib.profile_of(result, "cpu"))
        got = sum_under(profile, "worker", "cpu")
        lib.note(f"{got / 1e6} of {cpu / 1e6} ms")
        expect(abs(got - cpu) <= 2 * 10_000_000,
               f"{got} ns are in the profile, the thread used {cpu} ns")


if __name__ == "__main__":
    lib.main()
