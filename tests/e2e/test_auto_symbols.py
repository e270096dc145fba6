#!/usr/bin/env python3
"""Source lines come by themselves, and the program does not notice.

Most cases have a stand-in for the helper, beside a copy of the library, which
writes down what it was given. It works until a file `go` is there if one named
`hold` is.
"""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys

import lib
from lib import case, expect, expect_equal, wait_for

STAND_IN = f'#!{sys.executable}' + '''
import json, os, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[0]).parent
fds = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        fds[int(fd)] = os.readlink("/proc/self/fd/" + fd)
    except FileNotFoundError:
        pass
status = dict(line.split(":\\t", 1) for line in
              open("/proc/self/status").read().splitlines() if ":\\t" in line)
def mask(name):
    return int(status[name], 16)
said = {
    "arguments": sys.argv[1:], "environment": dict(os.environ),
    "directory": os.getcwd(), "descriptors": fds, "pid": os.getpid(),
    "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgrp(),
    "blocked": mask("SigBlk"),
    "ignored": mask("SigIgn") & ~(1 << signal.SIGPIPE - 1
                                  | 1 << signal.SIGXFSZ - 1),
    "oom": int(open("/proc/self/oom_score_adj").read()),
    "begin": time.monotonic()}
def write(name):
    (here / (name + ".tmp")).write_text(json.dumps(said))
    os.rename(here / (name + ".tmp"), here / name)
write("begun.%d" % os.getpid())
end = time.monotonic() + 20
while (here / "hold").exists() and not (here / "go").exists() \\
        and time.monotonic() < end:
    time.sleep(0.01)
said["end"] = time.monotonic()
write("done.%d" % os.getpid())
'''


class Stage:
    """A copy of the library with the stand-in beside it, and runs with it."""

    def __enter__(self):
        self.directory = lib.Directory()
        self.path = self.directory.__enter__()
        self.path.chmod(0o755)
        self.library = self.path / "lib" / "libpprofc.so"
        self.library.parent.mkdir()
        shutil.copy(lib.LIBRARY, self.library)
        self.command = self.library.parent / "pprofc"
        shutil.copy(lib.BUILD / "pprofc", self.command)
        self.helper = self.library.parent / "pprofc-symbolize"
        self.helper.write_text(STAND_IN)
        self.helper.chmod(0o755)
        return self

    def __exit__(self, *unused):
        self.tell("go")
        self.settle()
        self.directory.__exit__()

    def tell(self, word):
        (self.library.parent / word).touch()

    def said(self, word="done"):
        """What the stand-ins have written down, in the order of time."""
        found = [json.loads(p.read_text()) for p in
                 self.library.parent.glob(word + ".*")
                 if p.suffix != ".tmp"]
        return sorted(found, key=lambda one: one["begin"])

    def settle(self):
        wait_for(lambda: len(self.said("begun")) == len(self.said()),
                 "end of the helpers")

    def one(self):
        wait_for(self.said, "helper")
        said = self.said()
        expect_equal(len(said), 1, "number of helpers")
        return said[0]

    def environment(self, **more):
        return {"LD_PRELOAD": self.library, "PPROFC_SYMBOLS": "lines",
                "PPROFC_HEAP_RATE": 1, "PPROFC_LOG": self.path / "log",
                **more}

    def start(self, argv, environment=None, **popen):
        return lib.start(argv, self.path, True,
                         self.environment(**(environment or {})), **popen)

    def run(self, argv, environment=None):
        return lib.run(argv, self.path, True,
                       self.environment(**(environment or {})))

    def log(self):
        try:
            return (self.path / "log").read_text()
        except FileNotFoundError:
            return ""

    def profiles(self, kind=None):
        return [str(p) for p in lib.profiles(self.path, kind)]

    def files(self, one):
        """The files that one helper was given."""
        return one["arguments"][3 + 2 * len(self.caches(one)):]

    def caches(self, one):
        """The files it may take lines from."""
        more = one["arguments"][3:]
        return [b for a, b in zip(more[::2], more[1::2]) if a == "--cache"]


def allocating():
    return ["perl", "-e", "my @a = map { 'x' x $_ } 1 .. 2000; exit 3"]


# --- what the helper gets -----------------------------------------------------


@case
def one_helper_gets_all_files_of_the_end():
    with Stage() as stage:
        done = stage.run(allocating(), {"PPROFC_PROFILES": "heap,heap_peak"})
        expect_equal((done.status, done.err), (3, b""), "status and errors")
        one = stage.one()
        expect_equal(one["arguments"][:2], ["--quiet", "--pid"], "arguments")
        expect(f".{one['arguments'][2]}." in stage.profiles()[0],
               "another process id")
        expect_equal(sorted(stage.files(one)), stage.profiles(), "files")
        expect_equal(len(stage.profiles()), 2, "number of profiles")


def is_stored(path):
    """The first block of the gzip data, behind its header of ten bytes."""
    return pathlib.Path(path).read_bytes()[10] >> 1 & 3 == 0


def allocated(path):
    return lib.Profile(pathlib.Path(path)).total("alloc_space")


@case
def what_the_helper_writes_again_is_not_compressed():
    with Stage() as stage:
        expect_equal(stage.run(allocating()).status, 3, "status")
        stage.one()
        stored, = stage.profiles("heap")
        expect(is_stored(stored), "compressed")
        size, total = os.stat(stored).st_size, allocated(stored)
        os.unlink(stored)

        def some_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

        for environment, popen in (({"PPROFC_SYMBOLS": "names"}, {}),
                                   ({}, {"preexec_fn": some_room})):
            program = stage.start(allocating(), environment, **popen)
            expect_equal(program.wait(20), 3, "status")
            stage.settle()
            other, = stage.profiles("heap")
            expect(not is_stored(other), f"stored: {environment}, {popen}")
            expect(os.stat(other).st_size < size // 2, "no smaller")
            # (perl keeps its environment, too)
            expect(abs(allocated(other) - total) < 4096, "allocated")
            os.unlink(other)


@case
def helper_has_nothing_of_the_program():
    with Stage() as stage:
        secret = stage.path / "secret"
        secret.touch()
        with open(secret, "rb") as held:
            done = stage.start(
                ["sh", "-c", "trap '' INT QUIT TERM; cd /tmp; exec \"$@\"",
                 "sh", *allocating()], pass_fds=[held.fileno()],
                stdout=subprocess.DEVNULL)
            expect_equal(done.wait(20), 3, "status")
        wait_for(lambda: any("perl" in str(stage.files(one))
                             for one in stage.said()), "helper of perl")
        for one in stage.said():
            null = {0: "/dev/null", 1: "/dev/null", 2: "/dev/null"}
            own = {int(k): v for k, v in one["descriptors"].items()
                   if "/proc/" not in v}
            expect_equal(own, null, "descriptors")
            expect_equal(one["directory"], "/", "directory")
            expect_equal((one["session"], one["group"]),
                         (one["pid"], one["pid"]), "session and group")
            expect_equal((one["blocked"], one["ignored"]), (0, 0), "signals")
            expect_equal(one["oom"], 1000, "oom_score_adj")
            expect("LD_PRELOAD" not in one["environment"], "LD_PRELOAD is set")
            expect_equal(
                {k: v for k, v in one["environment"].items()
                 if "PPROFC" in k or "DEBUGINFOD" in k},
                {"PPROFC_PROFILES": "none"}, "its environment")


def takes_slot(one, slot):
    """Helpers of other tests may have it."""
    try:
        one.bind(f"\0pprofc-symbolize.{os.getuid()}.{slot}")
        return True
    except OSError:
        return False


@case
def real_helper_steps_back_and_waits_for_its_turn():
    with Stage() as stage:
        (stage.path / "not_one").write_text("no profile")
        trace = stage.path / "trace"
        slots = []
        for slot in range(os.cpu_count()):
            slots.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            wait_for(lambda: takes_slot(slots[-1], slot), "free slot", 60)
        process = subprocess.Popen(
            [lib.command("strace", "strace"), "-f", "-o", trace,
             lib.BUILD / "pprofc-symbolize", "--quiet", "--pid", "1",
             stage.path / "not_one"])
        try:
            wait_for(lambda: trace.read_text().count("nanosleep(") >= 3
                     if trace.exists() else False, "waiting")
            expect("not_one" not in trace.read_text().split("\n", 1)[1],
                   "it has begun")
            for one in slots:
                one.close()
            expect_equal(process.wait(20), 1, "status")
        finally:
            process.kill()
            process.wait()
        said = trace.read_text()
        expect("not_one" in said.split("\n", 1)[1], "it has not begun")
        expect(os.nice(0) >= 10 or "setpriority(PRIO_PROCESS, 0, 10)" in said,
               "no lower priority")


# --- the end ------------------------------------------------------------------


@case
def end_waits_for_nobody():
    """Neither the program nor who reads what it prints."""
    with Stage() as stage:
        stage.tell("hold")
        shell = stage.start(
            ["sh", "-c", 'x=$(perl -e \'my @a = map { "x" x $_ } 1..2000; '
             'print "out"\'); echo "[$x]"'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = shell.communicate(timeout=15)
        expect_equal((out, err), (b"[out]\n", b""), "output")
        wait_for(lambda: stage.said("begun"), "helper")
        expect_equal(stage.said(), [], "helpers that have ended")


@case
def end_waits_as_long_as_is_asked_for():
    with Stage() as stage:
        done = stage.run(allocating(), {"PPROFC_SYMBOLS_TIMEOUT": 20})
        expect_equal(done.status, 3, "status")
        expect_equal(len(stage.said()), 1, "helpers done at the end")


@case
def end_waits_no_longer_than_is_asked_for():
    with Stage() as stage:
        stage.tell("hold")
        done = stage.run(allocating(), {"PPROFC_SYMBOLS_TIMEOUT": 1})
        expect_equal(done.status, 3, "status")
        expect(1 <= done.wall_s < 10, f"took {done.wall_s:.1f} s")
        expect_equal(len(stage.said()), 0, "helpers done at the end")


@case
def crash_and_signal_have_lines_too():
    with Stage() as stage:
        for sig in (signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT):
            done = stage.run(["perl", "-e", "my @a = map { 'x' x $_ } 1..2000;"
                              f"kill {int(sig)}, $$; sleep 9"])
            expect_equal(done.status, -sig, "status")
        wait_for(lambda: len(stage.said()) == 3, "three helpers")


@case
def each_image_and_each_child_has_its_own():
    with Stage() as stage:
        done = stage.run(["perl", "-e", "my @a = map { 'x' x $_ } 1..2000;"
                          "if (fork) { wait; exec 'perl', '-e', "
                          "'my @a = map { \"y\" x $_ } 1..3000' }"],
                         {"PPROFC_PROFILES": "heap"})
        expect_equal(done.status, 0, "status")
        wait_for(lambda: len(stage.said()) == 3, "three helpers")
        expect_equal(sorted(f for one in stage.said()
                            for f in stage.files(one)),
                     stage.profiles(), "files")


# --- while it runs ------------------------------------------------------------


@case
def dump_storm_has_one_helper_at_a_time_and_misses_no_file():
    with Stage() as stage:
        stage.tell("hold")
        process = stage.start([lib.target("heartbeat"), "1", "60"],
                              {"PPROFC_PROFILES": "heap"},
                              stdout=subprocess.PIPE)
        try:
            expect(process.stdout.readline(), "the program said nothing")
            for n in range(1, 7):
                process.send_signal(signal.SIGUSR2)
                wait_for(lambda: len(stage.profiles()) >= n, f"dump {n}")
            wait_for(lambda: stage.said("begun"), "helper")
            expect_equal(len(stage.said("begun")), 1, "helpers at work")
            stage.tell("go")
            wait_for(stage.said, "end of the helper")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        finally:
            lib.end(process)
        wait_for(lambda: len(stage.said()) == 2, "second helper")
        first, second = stage.said()
        expect(first["end"] <= second["begin"], "two at a time")
        given = sorted(stage.files(first) + stage.files(second))
        expect_equal(given, sorted(stage.profiles()), "files")


# --- when there is none -------------------------------------------------------


def no_helper(stage, environment, reason):
    before = len(stage.said("begun"))
    done = stage.run(allocating(), environment)
    expect_equal((done.status, done.err), (3, b""), "status and errors")
    expect(done.profiles, "no profile")
    expect_equal(len(stage.said("begun")), before, "helpers")
    expect(reason in stage.log(), f"the log says {stage.log()!r}")
    return [is_stored(p) for p in stage.profiles()]


@case
def without_a_helper_names_stay_and_the_log_says_so():
    with Stage() as stage:
        stage.helper.unlink()
        installed = pathlib.Path("/usr/local/libexec/pprofc/pprofc-symbolize")
        if installed.exists():
            lib.note(f"left out: {installed} is there")
            return
        stored = no_helper(stage, {}, "there is no pprofc-symbolize")
        expect(stored and not any(stored), f"not compressed: {stored}")
        stage.helper.write_text("nothing that can be executed")
        stage.helper.chmod(0o755)
        no_helper(stage, {}, "cannot run " + str(stage.helper))


@case
def helper_of_another_user_is_run_only_where_the_library_is():
    """Else its name may lead into a trap: another root, for instance."""
    if os.geteuid() != 0:
        lib.note("left out: not root")
        return
    with Stage() as stage:
        os.chown(stage.helper, 12345, 12345)
        expect_equal(stage.run(allocating()).status, 3, "status")
        stage.one()
        stage.settle()
        begun = len(stage.said("begun"))
        done = stage.run(["perl", "-e", "unlink($ENV{LD_PRELOAD}) == 1 or die;"
                          "my @a = map { 'x' x $_ } 1 .. 2000; exit 3"])
        expect_equal((done.status, done.err), (3, b""), "status and errors")
        expect_equal(len(stage.said("begun")), begun, "helpers")
        expect("belongs to another user" in stage.log(),
               f"the log says {stage.log()!r}")


@case
def helper_gets_what_the_last_one_did():
    with Stage() as stage:
        process = stage.start(
            ["perl", "-e", "my @a = map { 'x' x $_ } 1 .. 2000; $| = 1; "
             "print 'x'; <STDIN>; exit 3"],
            {"PPROFC_PROFILES": "heap"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        expect_equal(process.stdout.read(1), b"x", "output")
        process.send_signal(signal.SIGUSR2)
        first = stage.files(stage.one())
        process.communicate(b"\n", timeout=20)
        wait_for(lambda: len(stage.said()) == 2, "second helper")
        one, other = sorted(stage.said(), key=lambda s: s["begin"])
        expect_equal((stage.caches(one), stage.caches(other)), ([], first),
                     "files to take lines from")
        expect(first and set(first) != set(stage.files(other)),
               f"files {stage.files(other)}")


@case
def helper_in_libexec_is_found():
    with Stage() as stage:
        place = stage.path / "libexec" / "pprofc"
        place.mkdir(parents=True)
        shutil.move(stage.helper, place / stage.helper.name)
        expect_equal(stage.run(allocating()).status, 3, "status")
        wait_for(lambda: list(place.glob("done.*")), "helper")


@case
def names_and_none_start_no_helper():
    with Stage() as stage:
        for what in ("names", "none"):
            done = stage.run(allocating(), {"PPROFC_SYMBOLS": what})
            expect(done.profiles, "no profile")
        expect_equal(stage.said("begun"), [], "helpers")
        expect("source lines" not in stage.log(), "the log speaks of lines")


@case
def without_a_profile_nothing_is_looked_for():
    """`/bin/true` makes no more system calls than with names only."""
    with Stage() as stage:
        def calls(symbols):
            out = stage.path / "calls"
            env = lib.environment(False, {**stage.environment(),
                                          "PPROFC_SYMBOLS": symbols})
            preload = env.pop("LD_PRELOAD")
            subprocess.run(
                [lib.command("strace", "strace"), "-f", "-o", out, "-E",
                 f"LD_PRELOAD={preload}", "/bin/true"], env=env, check=True,
                cwd=stage.path)
            return [line.split("(")[0].split()[-1] for line in
                    out.read_text().splitlines()]
        expect_equal(calls("lines"), calls("names"), "system calls")


# --- pprofc run ---------------------------------------------------------------


def start_run(stage, *options):
    env = lib.environment(False, {
        "PPROFC_SYMBOLS": "lines",
        "PPROFC_HEAP_RATE": 1, "PPROFC_PROFILES": "heap"})
    (stage.path / "profiles").mkdir(exist_ok=True)
    return subprocess.Popen(
        [stage.command, "run", "-o", f"{stage.path}/profiles/",
         *options, *allocating()], env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True)


@case
def run_waits_and_starts_the_helper_itself():
    with Stage() as stage:
        process = start_run(stage)
        _, err = process.communicate(timeout=30)
        expect_equal(process.returncode, 3, "status")
        expect_equal([one["parent"] for one in stage.said()], [process.pid],
                     "parents of helpers that are done")
        expect_equal(stage.said()[0]["arguments"][1:], stage.profiles(),
                     "files")
        expect(b"source lines" not in err, f"it says {err!r}")
        expect(not any(is_stored(p) for p in stage.profiles()), "stored")


@case
def run_ends_its_waiting_by_a_signal():
    with Stage() as stage:
        stage.tell("hold")
        process = start_run(stage)
        wait_for(lambda: stage.said("begun"), "helper")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        expect_equal(process.returncode, 3, "status")
        expect(b"source lines are missing in 1 of 1 profiles" in err,
               f"it says {err!r}")
        for begun in stage.library.parent.glob("begun.*"):
            begun.unlink()  # it was ended


@case
def run_says_when_there_is_no_helper():
    with Stage() as stage:
        stage.helper.unlink()
        process = start_run(stage)
        _, err = process.communicate(timeout=10)
        expect_equal(process.returncode, 3, "status")
        expect(b"pprofc-symbolize is not installed" in err, f"it says {err!r}")


# --- the real one -------------------------------------------------------------


@case
def plain_run_shows_lines_in_pprof():
    with lib.Directory() as d:
        done = lib.run([lib.target("hot_paths"), "300"], d, True,
                       {"PPROFC_SYMBOLS": "lines", "PPROFC_PROFILES": "cpu"})
        path = lib.profile_of(done, "cpu")

        def has_lines():
            out, _ = lib.pprof("-symbolize=none", "-raw", path)
            return "hot_paths.c:" in out
        wait_for(has_lines, "source lines")
        out, _ = lib.pprof("-symbolize=none", "-list", "^hot_leaf$", path)
        source = (lib.ROOT / "tests/targets/hot_paths.c").read_text()
        line = next(n for n, text in enumerate(source.splitlines(), 1)
                    if "hot_leaf(uint32_t x)" in text and ";" not in text)
        expect(re.search(rf"^ROUTINE.* hot_leaf in .*hot_paths.c$", out, re.M)
               # One in four is on the second line of the loop: of 30 samples
               # all are on the first with P = 3e-4.
               and re.search(rf"\d+0ms .* ({line + 2}|{line + 3}):", out),
               f"-list shows {out[:900]!r}")


if __name__ == "__main__":
    lib.main()
