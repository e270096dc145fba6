#!/usr/bin/env python3
"""Real programs behave as without the library, and their profiles are right.

For each: stdout, stderr and status byte by byte with and without; a named
function with at least a stated share of the CPU time, as `go tool pprof -top`
shows it; all but 0.5 % of the stacks complete (starts.py). Fields that differ
from run to run anyway are masked and listed beside the program.
"""

import os
import re
import subprocess

import lib
import starts
import workloads
from lib import case, expect

MIN_SAMPLES = 30  # about 0.3 s of CPU time: less would prove nothing


def check_cpu(path, hot):
    """The CPU profile: names with their least cumulative share in percent."""
    profile = lib.Profile(path)
    n = profile.total("samples")
    expect(n >= MIN_SAMPLES, f"{path.name} has {n} samples only")
    shares = [f"{name} {lib.expect_hot(path, name, least)} %"
              for name, least in hot.items()]
    good, residual = starts.check(profile)
    lib.note(f"{path.name}: {n} samples, {', '.join(shares)}; complete "
             f"{good:.1f} %, thread end {residual:.1f} %")
    for synthetic in ("[overflow]", "[thread unseen]", "[unknown]"):
        expect(not profile.cum("samples")[synthetic],
               f"{path.name} has samples in {synthetic}")


def check_heap(path):
    """The heap profile opens, with the four columns in their order."""
    profile = lib.Profile(path)
    names = [t[0] for t in profile.types]
    lib.expect_equal(names, ["alloc_objects", "alloc_space", "inuse_objects",
                             "inuse_space"], "columns")
    expect(profile.total("alloc_space") > 0, f"{path.name}: nothing counted")
    out, err = lib.pprof("-symbolize=none", "-top", path)
    expect("Type: inuse_space" in out, f"{path.name}: -top says {out[:200]}")
    expect("Local symbolization failed" not in err, f"{path.name}: {err}")


def program(argv, stdin, hot, masks=(), name=None):
    with lib.Directory() as d:
        plain = lib.run(argv, d, preload=False, stdin=stdin)
    expect(plain.out, f"{argv[0]} prints nothing to compare")
    with lib.Directory() as d:
        # Python allocates 2 MB at its start: with the default rate, three runs
        # in a hundred have no heap sample at all. So exp(-30).
        result = lib.run(argv, d, stdin=stdin,
                         env={"PPROFC_HEAP_RATE": 65536})
        lib.expect_same(plain, result, masks)
        name = name or os.path.basename(str(argv[0]))
        check_cpu(lib.profile_of(result, "cpu", name), hot)
        check_heap(lib.profile_of(result, "heap", name))


@case
def python_cpu_loop():
    program(*workloads.python_loop(2),
            {"_PyEval_EvalFrameDefault": 90, "Py_BytesMain": 95})


@case
def python_json():
    program(*workloads.python_json(),
            {"_PyEval_EvalFrameDefault": 90, "Py_BytesMain": 95})


@case
def sqlite_queries():
    program(*workloads.sqlite(2), {"sqlite3VdbeExec": 80, "sqlite3_step": 80})


@case
def perl_hashes_and_regexes():
    program(*workloads.perl(2), {"Perl_runops_standard": 90, "main": 95})


@case
def gxx_compiles():
    program(*workloads.gxx(), {"_ZN6toplev4mainEiPPc": 90,
                               "_Z12c_parse_filev": 20}, name="cc1plus")


@case
def cxx_plugins_and_exceptions():
    program([lib.target("plugin_host"), 25], b"",
            {"plugin_one_run": 30, "_ZN3one5grindEmi": 30,
             "plugin_two_run": 10, "_ZN3two6juggleEmi": 10, "main": 90})


@case
def threaded_pipeline():
    program([lib.target("pipeline"), 4, 300], b"",
            {"worker": 90, "sort_block": 80})


REDIS_MASKS = (
    (rb"(?m)^\d+:([CMS]) \d+ \w+ \d+ [\d:.]+", rb"PID:\1 TIME"),
    (rb"pid=\d+", b"pid=PID"),
    (rb"PID: \d+", b"PID: PID"),
)
REDIS_SCRIPT = b"""SET greeting hello
APPEND greeting " world"
GET greeting
RPUSH list a b c d
LRANGE list 0 -1
HSET hash f1 v1 f2 v2
HGETALL hash
INCRBY counter 41
INCR counter
EVAL "return redis.call('get', KEYS[1]) .. ARGV[1]" 1 counter !
LPOP counter
OBJECT ENCODING list
"""


def redis(preload, d):
    """One server's life: (server Result, output of redis-cli)."""
    server, cli, benchmark = (lib.command(c, "redis-server redis-tools") for c
                              in ("redis-server", "redis-cli",
                                  "redis-benchmark"))
    socket = d / "work" / "redis.sock"
    process = lib.start(
        [server, "--port", 0, "--unixsocket", "redis.sock", "--save", "",
         "--appendonly", "no"], d, preload, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    try:
        lib.wait_for(socket.exists, "redis socket")
        client = [cli, "-s", str(socket)]
        answers = subprocess.run(client, input=REDIS_SCRIPT, check=True,
                                 stdout=subprocess.PIPE, timeout=20,
                                 env=lib.environment(False)).stdout
        subprocess.run(
            [benchmark, "-s", str(socket), "-q", "-n", "300000", "-P", "32",
             "-r", "10000", "-t", "set,get,lpush,sadd,zadd"], check=True,
            stdout=subprocess.DEVNULL, timeout=60, env=lib.environment(False))
        subprocess.run(client + ["shutdown", "nosave"], check=True, timeout=20,
                       stdout=subprocess.DEVNULL, env=lib.environment(False))
        out, err = process.communicate(timeout=20)
    finally:
        lib.end(process)
    return lib.Result(process.returncode, out, err, lib.profiles(d), 0, 0,
                      d), answers


@case
def redis_under_benchmark():
    """Masked in the server's log: process id and time of each line."""
    with lib.Directory() as d:
        plain, wanted = redis(False, d)
    with lib.Directory() as d:
        result, answers = redis(True, d)
        lib.expect_equal(answers, wanted, "what redis-cli prints")
        expect(b"hello world" in answers, f"redis-cli says {answers!r}")
        lib.expect_same(plain, result, REDIS_MASKS)
        found = [f for f in result.profiles
                 if re.match(rf"redis-(server|check-rdb)\.\d+\.cpu\.", f.name)]
        expect(len(found) == 1, f"{len(found)} CPU profiles of redis: "
                                f"{[f.name for f in result.profiles]}")
        check_cpu(found[0], {"processCommand": 15, "aeMain": 90})


if __name__ == "__main__":
    lib.main()
