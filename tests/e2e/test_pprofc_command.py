#!/usr/bin/env python3
"""The pprofc command: its texts, and `run` is transparent."""

import os
import re
import resource
import shutil
import signal
import subprocess

import lib
from command import (
    COMMAND, PYTHON, harmless_library, make_environment, pprofc, text)
from lib import case, expect, expect_equal

# --- texts ---------------------------------------------------------------

@case
def help_names_every_variable():
    table = [line.split("\t")
             for line in text(pprofc("--variables").stdout).splitlines()]
    general = text(pprofc("--help").stdout)
    run = text(pprofc("run", "--help").stdout)
    expect(len(table) >= 17, f"only {len(table)} variables")
    for row in table:
        expect_equal(len(row), 6, f"fields of {row[0]}")
        expect(f"{row[0]}={row[2]}" in general, f"--help lacks {row[0]}")
        expect(f"{row[1]}={row[2]}" in run, f"run --help lacks {row[1]}")
        expect(f"Default: {row[3]}." in general,
               f"--help lacks the default of {row[0]}")
    for line in (general + run).splitlines():
        expect(len(line) < 80, f"line too long: {line}")


@case
def version_goes_to_stdout():
    done = pprofc("--version")
    expect(re.fullmatch(r"pprofc \d+\.\d+\.\d+\n", text(done.stdout)),
           f"--version says {done.stdout}")
    expect_equal((done.returncode, done.stderr), (0, b""), "the rest")


@case
def documents_agree_with_the_table():
    done = subprocess.run([lib.ROOT / "scripts/gen-docs", "--check",
                           str(lib.BUILD)], capture_output=True, text=True,
                          check=False)
    expect_equal(done.returncode, 0, f"gen-docs --check ({done.stdout})")


@case
def wrong_usage_is_status_125():
    for args in ([], ["fly"], ["run"], ["run", "--"], ["run", "--fly", "true"],
                 ["run", "--cpu-hz"], ["run", "--cpu-hz=0", "true"]):
        done = pprofc(*args)
        expect_equal(done.returncode, 125, f"status of pprofc {args}")
        expect(done.stderr.startswith(b"pprofc"), f"{args}: {done.stderr}")
        expect_equal(done.stdout, b"", f"stdout of pprofc {args}")


# --- status --------------------------------------------------------------

@case
def exit_status_is_the_commands():
    for status in (0, 1, 2, 77, 125, 255):
        done = pprofc("run", "-q", "sh", "-c", f"exit {status}")
        expect_equal(done.returncode, status, "status")
        expect_equal(done.stderr, b"", "stderr of a quiet run")


@case
def death_by_signal_is_the_commands():
    for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV,
                signal.SIGPIPE, signal.SIGCHLD, signal.SIGRTMIN + 5):
        done = pprofc("run", "-q", "sh", "-c", f"kill -{int(sig)} $$; exit 9")
        wanted = 9 if sig == signal.SIGCHLD else -sig
        expect_equal(done.returncode, wanted, f"status after signal {sig}")


@case
def dying_along_leaves_no_core_of_ours():
    with lib.Directory() as scratch:
        def allow_cores():
            resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))
        try:
            done = pprofc("run", "-q", "sh", "-c",
                          "ulimit -c 0; kill -SEGV $$", cwd=scratch,
                          preexec_fn=allow_cores)
        except subprocess.SubprocessError:
            return lib.note("cores are limited here; nothing to see")
        expect_equal(done.returncode, -signal.SIGSEGV, "status")
        expect_equal(list(scratch.iterdir()), [], "files left behind")


@case
def not_found_is_127_not_executable_126():
    done = pprofc("run", "no-such-program-here")
    expect_equal(done.returncode, 127, "status of a missing program")
    expect(b"no-such-program-here" in done.stderr, f"says {done.stderr}")
    done = pprofc("run", "/etc/passwd")
    expect_equal(done.returncode, 126, "status of a file without x")
    done = pprofc("run", "-q", "/")
    expect_equal(done.returncode, 126, "status of a directory")
    expect(done.stderr, "even a quiet run says that it cannot run")


@case
def status_survives_ignored_sigchld_and_closed_stderr():
    def hostile():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    done = pprofc("run", "sh", "-c", "exit 4", preexec_fn=hostile)
    expect_equal(done.returncode, 4, "status with SIGCHLD ignored")
    with lib.Directory() as scratch:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [COMMAND, "run", "sh", "-c", "exit 5"], stderr=writer,
            cwd=scratch, env=make_environment({}, harmless_library()),
            restore_signals=True, timeout=60, check=False)
        os.close(writer)
        expect_equal(done.returncode, 5, "status with stderr a broken pipe")


# --- what the command gets -----------------------------------------------

STATE = r"""
import os, signal
print(sorted((int(f), os.readlink("/proc/self/fd/" + f))
             for f in os.listdir("/proc/self/fd")
             if os.path.exists("/proc/self/fd/" + f)))
print([l for l in open("/proc/self/status") if l.startswith(
    ("SigBlk", "SigIgn", "SigPnd", "ShdPnd"))])
print(os.getcwd(), oct(os.umask(0)), os.getpriority(os.PRIO_PROCESS, 0))
import resource
print([resource.getrlimit(i) for i in range(15)])
"""


def masked_state(data):
    return re.sub(rb"(pipe|socket):\[\d+\]|/dev/pts/\d+", b"PIPE", data)


@case
def command_inherits_everything():
    """Descriptors, dispositions, mask, limits, directory as without us."""
    def odd_state():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM,
                                                  signal.SIGUSR1})
    with lib.Directory() as scratch:
        options = {"cwd": scratch, "preexec_fn": odd_state,
                   "capture_output": True, "stdin": subprocess.DEVNULL,
                   "restore_signals": False, "timeout": 60, "check": False,
                   "env": make_environment({}, harmless_library())}
        # Python ignores SIGPIPE for itself, so that needs another program.
        for program in ([PYTHON, "-I", "-c", STATE],
                        ["grep", "^S[hi][gd]...:", "/proc/self/status"]):
            plain = subprocess.run(program, **options)
            with_us = subprocess.run([str(COMMAND), "run", "-q", *program],
                                     **options)
            expect(len(plain.stdout) > 100, f"no state: {plain}")
            expect_equal(masked_state(with_us.stdout),
                         masked_state(plain.stdout), "state in the command")
            expect_equal(with_us.stderr, plain.stderr, "stderr")


@case
def input_and_output_pass_through():
    data = os.urandom(300000)
    done = pprofc("run", "-q", "cat", stdin=data)
    expect(done.stdout == data, "cat's output is not its input")


@case
def options_end_at_the_command():
    done = pprofc("run", "-q", "echo", "-q", "--cpu-hz=0", "--", "x")
    expect_equal(done.stdout, b"-q --cpu-hz=0 -- x\n", "arguments")
    done = pprofc("run", "-q", "--", "echo", "--", "x")
    expect_equal(done.stdout, b"-- x\n", "arguments behind --")


def environment_of(*options, env=None, cwd=None):
    done = pprofc("run", "-q", *options, "env", "-0", env=env, cwd=cwd)
    expect_equal((done.returncode, done.stderr), (0, b""), "run env")
    return dict(entry.split("=", 1) for entry in text(done.stdout).split("\0")
                if entry)


@case
def options_become_variables():
    got = environment_of("--cpu-hz=50", "--heap-rate", "4k", "--tid=yes",
                         "--max-depth=64", env={"PPROFC_CPU_HZ": "7",
                                                "PPROFC_KEEP": "3"})
    for name, value in (("CPU_HZ", "50"), ("HEAP_RATE", "4k"), ("TID", "yes"),
                        ("MAX_DEPTH", "64"), ("KEEP", "3")):
        expect_equal(got.get("PPROFC_" + name), value, name)


@case
def paths_are_seen_from_where_the_user_is():
    with lib.Directory() as scratch:
        (scratch / "sub").mkdir()
        got = environment_of("-o", "sub", "--log=log", "--session=sub",
                             cwd=scratch)
        expect_equal(got["PPROFC_OUTPUT"],
                     f"{scratch}/sub/%e.%p.%k.pb.gz", "OUTPUT")
        expect_equal(got["PPROFC_LOG"], f"{scratch}/log", "LOG")
        expect_equal(got["PPROFC_SESSION"], f"{scratch}/sub", "SESSION")
        got = environment_of(cwd=scratch)
        expect_equal(got["PPROFC_OUTPUT"], f"{scratch}/%e.%p.%k.pb.gz",
                     "OUTPUT without an option")


@case
def preload_goes_in_front():
    ours = harmless_library()
    libc = ours.replace("libm.so.6", "libc.so.6")
    got = environment_of(env={"LD_PRELOAD": libc})
    expect_equal(got["LD_PRELOAD"], f"{ours}:{libc}", "LD_PRELOAD")
    got = environment_of(env={"LD_PRELOAD": f"{libc} {ours}"})
    expect_equal(got["LD_PRELOAD"], f"{libc} {ours}",
                 "LD_PRELOAD that has it already")


@case
def installed_tree_is_found():
    with lib.Directory() as scratch:
        for name in ("bin", "lib", "lib 2"):
            (scratch / name).mkdir()
        shutil.copy(COMMAND, scratch / "bin/pprofc")
        shutil.copy(harmless_library(), scratch / "lib/libpprofc.so")
        done = pprofc("run", "-q", "printenv", "LD_PRELOAD", library=None,
                      command=scratch / "bin/pprofc")
        expect_equal(text(done.stdout), f"{scratch}/lib/libpprofc.so\n",
                     "LD_PRELOAD")
        shutil.copy(harmless_library(), scratch / "lib 2/libpprofc.so")
        for path in (scratch / "lib 2/libpprofc.so", "/nowhere.so"):
            done = pprofc("run", "true", library=str(path))
            expect_equal(done.returncode, 125, f"status with {path}")
            expect(str(path) in text(done.stderr), f"says {done.stderr}")


@case
def nothing_is_left_in_tmp():
    with lib.Directory() as scratch:
        for argv in (["sh", "-c", "ls -d $TMPDIR/*"], ["no-such-program"],
                     ["sh", "-c", "kill -KILL $$"]):
            done = pprofc("run", *argv, env={"TMPDIR": str(scratch)})
            if argv[-1].startswith("ls"):
                expect(f"{scratch}/pprofc-" in text(done.stdout),
                       f"no status file in TMPDIR: {done.stdout}")
            expect_equal(list(scratch.iterdir()), [], f"left by {argv}")


@case
def program_is_matched_by_its_file_and_by_the_typed_name():
    with lib.Directory() as scratch:
        alias = scratch / "alias"
        alias.symlink_to(lib.target("cpu_split"))
        for glob in ("alias", "cpu_s*"):
            done = pprofc("run", f"--program={glob}", f"-o{scratch}/out/",
                          alias, 1, 100, 1, library=None)
            expect(b"wrote " in done.stderr, f"{glob}: {done.stderr}")
            expect(b"does not match" not in done.stderr, f"{done.stderr}")
        done = pprofc("run", "--program=other", alias, 1, 1, 1, library=None)
        lines = text(done.stderr).splitlines()
        expect(len(lines) == 2 and lines[0].endswith(
            ": PPROFC_PROGRAM does not match cpu_split, started as alias"),
            f"says {lines}")
        expect_equal(lines[1], "pprofc: no profile was written", "last line")


@case
def other_programs_are_not_mentioned_beside_a_profile():
    with lib.Directory() as scratch:
        done = pprofc(
            "run", "--program=cpu_split", f"-o{scratch}/", "sh", "-c",
            f"{lib.target('cpu_split')} 1 100 1; true", library=None)
        expect(b"wrote " in done.stderr, f"says {done.stderr}")
        expect(b"does not match" not in done.stderr, f"says {done.stderr}")


lib.main()
