"""measure.py - variants of a run, interleaved, and what they cost.

A variant is an environment: no library, ours, or a peer. All variants of a
measurement run in turn, round after round, so that a change of the machine's
mood meets all of them. Times are those of the fastest quarter of the runs
(of_each in run.py). Ratios are the median of the ratios of runs of the same
round, with the interval that holds the true median 19 times out of 20; of whole
programs see fast_ratio and share_ratio in run.py.
"""

import collections
import os
import pathlib
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import lib  # noqa: E402  (found by the line above)

BENCH = lib.ROOT / "tests" / "bench"
LIBS = pathlib.Path("/usr/lib") / (os.uname().machine + "-linux-gnu")
JEMALLOC = LIBS / "libjemalloc.so.2"
TCMALLOC = LIBS / "libtcmalloc.so.4"
PROFILER = LIBS / "libprofiler.so.0"
HEAPTRACK = pathlib.Path("/usr/lib/heaptrack/libheaptrack_preload.so")

# name: (its own unprofiled base, library, variables); {d} is a directory
Variant = collections.namedtuple("Variant", "base library variables")


def variants(build):
    ours = {"PPROFC_OUTPUT": "{d}/"}
    return {
        "none": Variant("none", None, {}),
        "forwarder": Variant("none", build / "bench" / "forwarder.so", {}),
        "pprofc": Variant("none", lib.LIBRARY, ours),
        "pprofc heap": Variant("none", lib.LIBRARY,
                               dict(ours, PPROFC_PROFILES="heap")),
        "pprofc locks": Variant("none", lib.LIBRARY,
                                dict(ours, PPROFC_PROFILES="mutex,block")),
        # each wait and each release walks its stack
        "pprofc all locks": Variant("none", lib.LIBRARY, dict(
            ours, PPROFC_PROFILES="mutex,block", PPROFC_BLOCK_RATE="1",
            PPROFC_LOCK_EVENTS="10000000")),
        "pprofc R=1": Variant("none", lib.LIBRARY,
                              dict(ours, PPROFC_HEAP_RATE="1")),
        # the lowest rate at which no stack is remembered: each is walked
        "pprofc R=4097": Variant("none", lib.LIBRARY,
                                 dict(ours, PPROFC_HEAP_RATE="4097")),
        "jemalloc": Variant("jemalloc", JEMALLOC, {}),
        "jemalloc prof": Variant("jemalloc", JEMALLOC, {
            "MALLOC_CONF": "prof:true,lg_prof_sample:19,prof_final:true,"
                           "prof_prefix:{d}/je"}),
        "jemalloc prof all": Variant("jemalloc", JEMALLOC, {
            "MALLOC_CONF": "prof:true,lg_prof_sample:0,prof_final:true,"
                           "prof_prefix:{d}/je"}),
        "tcmalloc": Variant("tcmalloc", TCMALLOC, {}),
        "tcmalloc sampling": Variant("tcmalloc", TCMALLOC, {
            "TCMALLOC_SAMPLE_PARAMETER": "524288"}),
        "gperftools heap": Variant("tcmalloc", TCMALLOC, {
            "HEAPPROFILE": "{d}/gp",
            "HEAP_PROFILE_ALLOCATION_INTERVAL": "0",
            "HEAP_PROFILE_INUSE_INTERVAL": "0"}),
        "gperftools cpu": Variant("none", PROFILER, {
            "CPUPROFILE": "{d}/gp.cpu"}),
        "heaptrack": Variant("none", HEAPTRACK, {
            "DUMP_HEAPTRACK_OUTPUT": "{d}/heaptrack"}),
    }


def compile_tools(build):
    """The programs of this folder, into build/bench."""
    out = build / "bench"
    out.mkdir(parents=True, exist_ok=True)
    for name, flags in (("pairs", []), ("spawn", []),
                        ("forwarder.so", ["-shared", "-fPIC",
                                          "-fno-builtin"])):
        source = BENCH / (name.removesuffix(".so") + ".c")
        subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-Wall", "-pthread",
                        f"-I{lib.ROOT}/preload", *flags, "-o", out / name, source], check=True)
    return out


def await_helpers():
    """Who adds the source lines works on after the program; not beside the
    next one."""
    for _ in range(500):
        names = subprocess.run(["pgrep", "-c", "^pprofc-symboli"],
                               stdout=subprocess.PIPE, check=False).stdout
        if names.strip() == b"0":
            return
        time.sleep(0.01)


def interval(samples, statistic, draws=2000):
    """(estimate, low, high): 95 % by bootstrap. `samples` are lists drawn
    from each on its own; `statistic` makes one number of as many lists."""
    rng = random.Random(1)
    seen = sorted(statistic([rng.choices(s, k=len(s)) for s in samples])
                  for _ in range(draws))
    return (statistic(samples), seen[draws // 40],
            seen[draws - 1 - draws // 40])


SIGNAL_CODE = re.compile(r"posix_cpu_timer|posix_timer|_signal|rt_sigreturn")


def perf_sees_kernel():
    """Without leave it would drop the kernel's part and say nothing."""
    return bool(shutil.which("perf")) and subprocess.run(
        ["perf", "record", "-q", "-e", "cpu-clock:k", "-o", "/dev/null",
         "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=False).returncode == 0


def is_kernel(file):
    """Of it, or of one of its modules: [ext4]."""
    return file.startswith("[") and file not in ("[unknown]", "[vdso]")


def is_library(frames):
    """Is this sample, innermost frame first, of the library: is that the
    innermost in user space, also when the kernel works for it? Or does the
    kernel deliver a signal? Those of the program count, too: it has few."""
    user = [file for _, file in frames if not is_kernel(file)]
    if user and user[0].endswith("/libpprofc.so"):
        return True
    return any(is_kernel(file) and SIGNAL_CODE.search(symbol)
               for symbol, file in frames)


def library_samples(data):
    """(samples of the library, all) in a recording of perf. The helper that
    adds source lines is another process, which nobody waits for."""
    text = subprocess.run(
        ["perf", "script", "-i", data, "--no-inline", "-F", "comm,ip,sym,dso"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
        timeout=300).stdout.decode(errors="replace")
    ours = everything = 0
    for sample in text.split("\n\n"):
        frames = re.findall(r"^\s+[0-9a-f]+ (.*?) \((.*)\)$", sample, re.M)
        if not frames or sample.lstrip().startswith("pprofc-symboli"):
            continue
        everything += 1
        ours += is_library(frames)
    return ours, everything


class Runner:
    """Runs commands under a variant; knows what exists on this machine."""

    def __init__(self, build):
        self.tools = compile_tools(build)
        self.variants = {k: v for k, v in variants(build).items()
                         if not v.library or v.library.exists()}

    def have(self, names):
        return [n for n in names if n in self.variants]

    def variables(self, name, directory):
        v = self.variants[name]
        env = {k: t.format(d=directory) for k, t in v.variables.items()}
        if v.library:
            env["LD_PRELOAD"] = str(v.library)
        return env

    def run(self, name, argv, stdin=b""):
        """(stdout, stderr, CPU seconds) of one run."""
        with tempfile.TemporaryDirectory(prefix="pprofc-bench.") as d:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [str(a) for a in argv], input=stdin, cwd=d, check=False,
                env=lib.environment(False, self.variables(name, d)),
                timeout=300, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            await_helpers()
        return (done.stdout.decode(errors="replace"),
                done.stderr.decode(errors="replace"),
                after.ru_utime - before.ru_utime
                + after.ru_stime - before.ru_stime)

    def alternate(self, names, n, argv):
        """{name: (mean of the fastest quarter, median) of the microseconds of
        n runs from start to end}, run by run in turn."""
        names = self.have(names)
        with tempfile.TemporaryDirectory(prefix="pprofc-bench.") as d:
            words = []
            for name in names:
                words += [","] if name != names[0] else []
                words += [f"{k}={v}"
                          for k, v in self.variables(name, d).items()]
            done = subprocess.run(
                [self.tools / "spawn", str(n), *words, "--", *argv], cwd=d,
                env=lib.environment(False, {}), check=True, timeout=300,
                stdout=subprocess.PIPE)
        lines = done.stdout.decode().split("\n")
        return {name: tuple(float(x) for x in line.split())
                for name, line in zip(names, lines)}

    def interleave(self, names, rounds, once):
        """{name: [value of each round]} of once(name)."""
        values = {n: [] for n in self.have(names)}
        for _ in range(rounds):
            for n in values:
                values[n].append(once(n))
        return values

    def pairs(self, values):
        """{name: ratios to its base, round by round}."""
        return {n: [a / b for a, b in
                    zip(v, values[self.variants[n].base])]
                for n, v in values.items()}

    def share(self, name, argv, stdin, runs):
        """[(samples of the library, all samples)] of each run, by perf, which
        looks where the processor is. The rate is no multiple of the kernel's
        or of our own ticks."""
        with tempfile.TemporaryDirectory(prefix="pprofc-bench.") as d:
            program = ["env"] + [f"{k}={v}" for k, v in
                                 self.variables(name, d).items()] + argv
            record = ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F",
                      "997", "-o", d + "/perf.data", "--"]
            found = []
            for _ in range(runs):
                self.run("none", record + program, stdin)
                found.append(library_samples(d + "/perf.data"))
        return found

    def instructions(self, name, mode, n=400000):
        """Instructions of one operation, by callgrind: what the loop and all
        it calls executes, the samples of the default rate included."""
        err = self.run(name, ["valgrind", "--tool=callgrind",
                              f"--toggle-collect={mode}_batch",
                              "--callgrind-out-file=/dev/null",
                              self.tools / "pairs", mode, 1, n])[1]
        found = re.search(r"Collected : (\d+)", err)
        lib.expect(found, f"callgrind: {err[-300:]}")
        return int(found[1]) / n

    def program_instructions(self, name, argv, stdin):
        """Instructions of a whole program, its own process alone."""
        err = self.run(name, ["valgrind", "--tool=callgrind",
                              "--callgrind-out-file=/dev/null", *argv],
                       stdin)[1]
        found = re.search(r"Collected : (\d+)", err)
        lib.expect(found, f"callgrind: {err[-300:]}")
        return int(found[1])
