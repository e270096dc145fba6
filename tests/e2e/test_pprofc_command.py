#!/usr/bin/env python3
"""The pprofc command: `run` is transparent, and what it says is right.

Most cases preload a library that does nothing (libm), so that they test the
command and nothing else; those that need profiles say so with library=None.
"""
import os
import pathlib
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import lib
from lib import Failure, case, expect, expect_equal

COMMAND = lib.BUILD / "pprofc"
PYTHON = sys.executable


def harmless_library():
    """The path of a library that may be preloaded into anything."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        found = re.search(r"(/\S*/libm\.so\.6)$", maps.read(), re.M)
    expect(found, "this Python has no libm.so.6 to preload")
    return found.group(1)


def make_environment(env, library):
    base = lib.environment(False, env)
    if library:
        base["PPROFC_LIBRARY"] = library
    return base


def pprofc(*args, env=None, cwd=None, library="", stdin=b"", command=COMMAND,
           **popen):
    """Run `pprofc ARGS` to its end."""
    with lib.Directory() as scratch:
        return subprocess.run(
            [str(command)] + [str(a) for a in args], input=stdin,
            capture_output=True, cwd=cwd or scratch, timeout=60, check=False,
            env=make_environment(env, harmless_library() if library == ""
                                 else library), **popen)


def text(data):
    return data.decode(errors="replace")


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


# --- signals -------------------------------------------------------------

# Says which signals it gets, and ends with status 6 after SIGTERM.
COUNTER = r"""
import os, signal, sys
ended = []
def handler(number, frame):
    os.write(1, b"got %d\n" % number)
    if number == 15:
        ended.append(1)
for s in (1, 2, 3, 10, 12, 14, 15, signal.SIGRTMIN + 4):
    signal.signal(s, handler)
os.write(1, b"ready %d\n" % os.getpid())
while not ended:
    signal.pause()
sys.exit(6)
"""


def read_until(read, pattern):
    """Output until it matches; bounded by the test's own limit."""
    data = b""
    limit = time.monotonic() + 30
    while not re.search(pattern, data):
        expect(time.monotonic() < limit, f"no {pattern} in {data}")
        try:
            more = read()
        except OSError:
            more = b""
        if not more:
            raise Failure(f"no {pattern} in {data}")
        data += more
    return data


def start_counter(scratch, *options):
    process = subprocess.Popen(
        [str(COMMAND), "run", *options, PYTHON, "-I", "-c", COUNTER],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=scratch,
        env=make_environment({}, harmless_library()), start_new_session=True)
    read_until(lambda: os.read(process.stdout.fileno(), 4096), rb"ready \d+\n")
    return process


def signals_got(data):
    return [int(n) for n in re.findall(rb"got (\d+)", data)]


@case
def signals_sent_to_us_reach_the_command_once():
    """TERM comes last, after the others were seen: a signal passed on twice
    would be seen before it."""
    wanted = [1, 2, 3, 10, 12, 14, int(signal.SIGRTMIN + 4), 15]
    with lib.Directory() as scratch:
        process = start_counter(scratch, "-q", "--signal=RTMIN+4")
        data = b""
        try:
            for sig in wanted:
                os.kill(process.pid, sig)
                data += read_until(
                    lambda: os.read(process.stdout.fileno(), 4096),
                    b"got %d\n" % sig)
            out, err = process.communicate(timeout=30)
        finally:
            lib.end(process)
    expect_equal(signals_got(data + out), wanted, "signals")
    expect_equal((process.returncode, err), (6, b""), "status and stderr")


def on_terminal(argv):
    """Start argv in a session of its own on a new terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir("/tmp")
            os.execve(argv[0], argv, make_environment(
                {}, harmless_library()))
        finally:
            os._exit(99)
    return pid, terminal


def wait_for(pid, flags=0):
    """waitpid with a limit; the event is awaited, not a time."""
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        done, status = os.waitpid(pid, flags | os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise Failure("pprofc did not end or stop")


@case
def interrupt_key_reaches_the_command_once():
    pid, terminal = on_terminal(
        [str(COMMAND), "run", "-q", PYTHON, "-I", "-c", COUNTER])
    try:
        read_until(lambda: os.read(terminal, 4096), rb"ready \d+")
        # pprofc must not get its SIGINT before the command is done with its
        # own: two that are pending at once would look like one.
        os.kill(pid, signal.SIGSTOP)
        wait_for(pid, os.WUNTRACED)
        os.write(terminal, b"\x03")
        out = read_until(lambda: os.read(terminal, 4096), rb"got 2\r\n")
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
        out += read_until(lambda: os.read(terminal, 4096), rb"got 15\r\n")
        status = wait_for(pid)
    finally:
        os.close(terminal)
    expect_equal(signals_got(out), [2, 15], "signals")
    expect_equal(os.waitstatus_to_exitcode(status), 6, "status")


@case
def stopping_the_group_stops_us_too():
    pid, terminal = on_terminal(
        [str(COMMAND), "run", "-q", PYTHON, "-I", "-c", COUNTER])
    try:
        # Not by ^Z: the only group of a session is an orphan, which the
        # kernel does not stop that way.
        out = read_until(lambda: os.read(terminal, 4096), rb"ready \d+")
        child = int(re.search(rb"ready (\d+)", out).group(1))
        expect_equal(os.getpgid(child), pid, "group of the command")
        os.killpg(pid, signal.SIGSTOP)
        status = wait_for(pid, os.WUNTRACED)
        expect(os.WIFSTOPPED(status), f"pprofc is not stopped: {status}")
        os.killpg(pid, signal.SIGCONT)
        os.kill(child, signal.SIGTERM)
        status = wait_for(pid)
    finally:
        os.close(terminal)
    expect_equal(os.waitstatus_to_exitcode(status), 6, "status")


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
