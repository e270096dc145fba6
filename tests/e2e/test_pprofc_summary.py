#!/usr/bin/env python3
"""pprofc run: what it says in the end, and of programs that it cannot reach."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

import lib
from command import PYTHON, pprofc, text
from lib import case, expect, expect_equal

# --- programs out of reach -----------------------------------------------

def expect_hint(program, word, status=0):
    done = pprofc("run", program)
    expect_equal(done.returncode, status, f"status of {program}")
    lines = text(done.stderr).splitlines()
    expect(lines and word in lines[0] and str(program) in lines[0],
           f"no word of {word!r} in {lines}")
    done = pprofc("run", "-q", program)
    expect(word not in text(done.stderr), "-q says it all the same")


@case
def static_programs_are_named():
    with lib.Directory() as scratch:
        source = scratch / "s.c"
        source.write_text("int main(void) { return 0; }\n")
        for name, flags in (("s", ["-static"]), ("pie", ["-static-pie"])):
            subprocess.run(["gcc", *flags, source, "-o", scratch / name],
                           check=True)
            expect_hint(scratch / name, "statically linked")
        script = scratch / "script"
        script.write_text(f"#! {scratch}/s -x\n")
        script.chmod(0o755)
        done = pprofc("run", script)
        expect(f"{scratch}/s is statically" in text(done.stderr),
               f"of a script's interpreter: {done.stderr}")


@case
def foreign_programs_are_named():
    binary = bytearray(pathlib.Path(shutil.which("true")).read_bytes())
    with lib.Directory() as scratch:
        foreign = scratch / "foreign"
        binary[18:20] = (0x28).to_bytes(2, "little")  # e_machine: 32-bit Arm
        foreign.write_bytes(binary)
        foreign.chmod(0o755)
        done = pprofc("run", foreign)
        expect("another kind of processor" in text(done.stderr),
               f"of Arm: {done.stderr}")
        source = scratch / "m.c"
        source.write_text("int main(void) { return 0; }\n")
        other = scratch / "other"
        subprocess.run(
            ["gcc", source, "-o", other,
             "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"], check=True)
        done = pprofc("run", other)
        expect("another C library than glibc" in text(done.stderr),
               f"of musl: {done.stderr}")


@case
def a_fifo_as_interpreter_is_not_waited_for():
    with lib.Directory() as scratch:
        os.mkfifo(scratch / "fifo", 0o755)
        script = scratch / "script"
        script.write_text(f"#!{scratch}/fifo\n")
        script.chmod(0o755)
        done = pprofc("run", script)
        expect_equal(done.returncode, 126, "status")


@case
def programs_with_more_rights_are_named():
    with lib.Directory() as scratch:
        program = scratch / "rights"
        shutil.copy(shutil.which("true"), program)
        program.chmod(0o4755)
        done = pprofc("run", program)
        expect("set-user-id" not in text(done.stderr),
               "set-user-id to ourselves gains nothing")
        if os.getuid() != 0:
            return lib.note("not root: cannot make a file of another user")
        scratch.chmod(0o755)
        os.chown(program, 65534, 65534)
        program.chmod(0o4755)
        expect_hint(program, "set-user-id")
        program.chmod(0o2755)
        expect_hint(program, "set-group-id")


@case
def dynamic_programs_get_no_hint():
    with lib.Directory() as scratch:
        script = scratch / "script"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o755)
        for argv in (["true"], [script], ["/lib64/ld-linux-x86-64.so.2",
                                          shutil.which("true")]):
            done = pprofc("run", *argv)
            expect_equal(text(done.stderr),
                         "pprofc: no profile was written: the program ended "
                         "before anything was sampled, or it did not load the "
                         "library\n", f"stderr of {argv}")


# --- the summary ---------------------------------------------------------

BURN = """
import time
kept = []
while time.process_time() < 0.6:
    kept.append(bytes(1000))
"""


@case
def summary_says_where_and_how_to_open():
    """With the real library: every named file exists, every file is named,
    and the command to open it works (with -top in place of -http=:)."""
    with lib.Directory() as scratch:
        done = pprofc("run", "-o", "p a/", PYTHON, "-I", "-c", BURN,
                      cwd=scratch, library=None)
        expect_equal((done.returncode, done.stdout), (0, b""), "the run")
        lines = text(done.stderr).splitlines()
        wrote = dict(re.search(r"wrote (.*) \((\w+), \d+ samples?\)", l)
                     .groups()[::-1] for l in lines if "wrote" in l)
        expect_equal(sorted(wrote), ["cpu", "heap"], f"kinds in {lines}")
        expect_equal({str(p.relative_to(scratch))
                      for p in (scratch / "p a").iterdir()},
                     set(wrote.values()), "files named and files there")
        opening = [l.split("see it: ")[1] for l in lines if "see it:" in l]
        expect_equal(len(opening), 2, f"commands in {lines}")
        for line in opening:
            top = subprocess.run(line.replace("-http=:", "-top"), shell=True,
                                 cwd=scratch, capture_output=True, timeout=60,
                                 check=False)
            expect_equal(top.returncode, 0, f"{line}: {top.stderr}")
            expect(b"flat%" in top.stdout, f"{line} shows {top.stdout[:200]}")
        quiet = pprofc("run", "-q", "-o", "q/", PYTHON, "-I", "-c", BURN,
                       cwd=scratch, library=None)
        expect_equal(quiet.stderr, b"", "stderr of a quiet run")
        expect_equal(len(list((scratch / "q").iterdir())), 2, "quiet files")


@case
def summary_says_what_went_wrong():
    """An output directory that cannot be made: said, with the reason."""
    with lib.Directory() as scratch:
        (scratch / "file").write_text("")
        done = pprofc("run", "-o", "file/x/", PYTHON, "-I", "-c", BURN,
                      cwd=scratch, library=None)
        expect_equal(done.returncode, 0, "status")
        message = text(done.stderr)
        expect(re.search(r"process \d+.*: ", message)
               and "Not a directory" in message, f"says {message}")
        expect(message.endswith("pprofc: no profile was written\n"),
               f"says {message}")


@case
def summary_names_long_paths_whole():
    with lib.Directory() as scratch:
        output = scratch / "/".join(["d" * 200] * 4)
        done = pprofc("run", "-o", f"{output}/%k.pb.gz", "--profiles=cpu",
                      PYTHON, "-I", "-c", BURN, cwd="/", library=None)
        expect(f"wrote {output}/cpu.pb.gz (cpu, " in text(done.stderr),
               f"says {done.stderr}")


@case
def summary_names_the_signal_that_left_no_profile():
    done = pprofc("run", "sh", "-c", "kill -KILL $$", library=None)
    expect_equal(done.returncode, -signal.SIGKILL, "status")
    expect("ended by signal 9 (Killed)" in text(done.stderr),
           f"says {done.stderr}")


STATUS_LINES = r"""
import os
path = os.environ["PPROFC_STATUS"]
here = os.getcwd()
def line(pid, text):
    with open(path, "a") as f:
        f.write(f"pprofc[{pid}]: {text}\n")
for i in range(30):
    open(f"f{i}.cpu.pb.gz", "w").close()
    line(i + 1, f"wrote {here}/f{i}.cpu.pb.gz (cpu, {i} samples)")
open("odd (x, 3 samples) 'q'", "w").close()
line(50, f"wrote {here}/odd (x, 3 samples) 'q' (heap, 1 sample)")
for i in range(2):
    open(f"tie{i}.pb.gz", "w").close()
    line(51, f"wrote {here}/tie{i}.pb.gz (tie, 500 samples)")
line(51, f"wrote {here}/removed (heap, 99 samples)")
for pid in (60, 61, 62):
    line(pid, "no cpu profile written: error 28")
line(70, "bell \x07 and escape \x1b[31m")
"""


@case
def summary_of_many_files_is_short_and_clean():
    """Any status file: the largest, in the order written, equal messages once,
    no control characters, names quoted for the shell."""
    done = pprofc("run", PYTHON, "-I", "-c", STATUS_LINES)
    lines = [l.removeprefix("pprofc: ") for l in
             text(done.stderr).splitlines()]
    expect_equal(lines[:20], [
        *[f"wrote f{i}.cpu.pb.gz (cpu, {i} samples)" for i in range(12, 30)],
        "wrote tie0.pb.gz (tie, 500 samples)",
        "wrote tie1.pb.gz (tie, 500 samples)"], "files")
    expect_equal(sum(l.startswith("wrote") for l in lines), 20, "files shown")
    expect("and 13 more profiles with fewer samples" in lines, f"{lines}")
    expect("process 60 (and 2 times more): no cpu profile written: error 28 "
           "(No space left on device)" in lines, f"{lines}")
    expect("process 70: bell ? and escape ?[31m" in lines, f"{lines}")
    expect("to see it: go tool pprof -http=: tie1.pb.gz" in lines, f"{lines}")
    expect("to see it: go tool pprof -http=: f29.cpu.pb.gz" in lines,
           f"{lines}")
    expect(r"to see it: go tool pprof -http=: "
           r"'odd (x, 3 samples) '\''q'\'''" in lines, f"{lines}")
    expect("removed" not in text(done.stderr), "a file that is gone is named")


@case
def typos_in_the_environment_are_named():
    done = pprofc("run", "true", env={"PPROFC_CPUHZ": "5"})
    expect("there is no variable PPROFC_CPUHZ" in text(done.stderr),
           f"says {done.stderr}")
    done = pprofc("run", "printenv", "PPROFC_KEEP",
                  env={"PPROFC_KEEP": "all"})
    expect_equal(text(done.stderr).count("PPROFC_KEEP=all is not accepted"), 1,
                 "complaints about a bad variable")


lib.main()
