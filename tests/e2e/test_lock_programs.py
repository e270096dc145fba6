#!/usr/bin/env python3
"""Lock profiles of real programs: the output is the program's own, and one
known finding each is there."""

import subprocess

import lib
from lib import case, expect, expect_equal

KINDS = {"PPROFC_PROFILES": "mutex,block"}

PYTHON = """
import queue, threading
q = queue.Queue(5); lock = threading.Lock(); total = 0
def work():
    global total
    while (x := q.get()) is not None:
        with lock:
            total += sum(i * i for i in range(x))
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for i in range(2000): q.put(200)
for t in threads: q.put(None)
for t in threads: t.join()
print(total)
"""


def both(argv, stdin=b""):
    """The program with and without: same output; its two profiles."""
    with lib.Directory() as a, lib.Directory() as b:
        plain = lib.run(argv, a, preload=False, stdin=stdin)
        result = lib.run(argv, b, env=KINDS, stdin=stdin)
        lib.expect_same(plain, result)
        return [lib.Profile(lib.profile_of(result, kind))
                for kind in ("mutex", "block")]


def share(profile, name):
    return 100 * profile.cum("delay")[name] / max(profile.total("delay"), 1)


@case
def cxx_locks():
    mutex, block = both([lib.target("cxx_locks")])
    names = {s.labels["lock"].split(" ")[0] for s in mutex.samples}
    expect_equal(names, {"cache_mutex", "table_mutex"}, "locks")
    got = max(share(mutex, n) for n in mutex.cum("delay")
              if "fill_cache" in n)
    expect(50 <= got <= 99, f"fill_cache is charged {got} %, expected 50..99")
    waits = {s.labels["wait"] for s in block.samples}
    expect(waits >= {"mutex", "rwlock", "cond", "join"}, f"waits: {waits}")


@case
def python_threads():
    python = lib.command("python3", "python3")
    mutex, block = both([python, "-c", PYTHON])
    got = share(mutex, "PyEval_SaveThread") + share(mutex, "take_gil")
    expect(got >= 20, f"the GIL is charged {got} %: {mutex.cum('delay')}")
    waits = {s.labels["wait"] for s in block.samples}
    expect("sem" in waits, f"waits are {waits}: locks of Python are semaphores")


@case
def redis_with_io_threads():
    """The main thread holds back its I/O threads by their mutexes."""
    server = lib.command("redis-server", "redis-server")
    with lib.Directory() as d:
        socket = d / "s"
        process = lib.start(
            [server, "--port", "0", "--unixsocket", socket, "--io-threads",
             "3", "--save", "", "--logfile", d / "log"], d, env=KINDS)
        try:
            lib.wait_for(socket.exists, "socket of redis-server")
            for argv, wanted in (
                    (["redis-cli", "-s", socket, "set", "k", "v"], b"OK\n"),
                    (["redis-benchmark", "-s", socket, "-n", "60000", "-c",
                      "100", "-P", "16", "-t", "set", "-q"], None),
                    (["redis-cli", "-s", socket, "get", "k"], b"v\n"),
                    (["redis-cli", "-s", socket, "shutdown"], b"")):
                done = subprocess.run(
                    argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, timeout=60, check=False)
                expect(done.returncode == 0 and wanted in (None, done.stdout),
                       f"{argv[0]}: {done}")
            expect_equal(process.wait(30), 0, "status of redis-server")
        finally:
            lib.end(process)
        mutex = lib.Profile(lib.profiles(d, "mutex")[0])
    got = share(mutex, "handleClientsWithPendingWritesUsingThreads") + \
        share(mutex, "handleClientsWithPendingReadsUsingThreads")
    expect(got >= 80, f"the hand-over to I/O threads is charged {got} %: "
                      f"{mutex.cum('delay')}")
    names = {s.labels["lock"] for s in mutex.samples}
    expect(any(n.startswith("io_threads_mutex") for n in names),
           f"locks are {names}")


@case
def openmp_is_not_seen():
    """libgomp's locks are futexes of its own: no profile, and no harm."""
    source = (b"#include <stdio.h>\n#include <unistd.h>\n"
              b"int main(void) { long s = 0;\n"
              b"_Pragma(\"omp parallel for num_threads(4)\")\n"
              b"for (int i = 0; i < 40; i++) {\n"
              b"_Pragma(\"omp critical\")\n"
              b"{ usleep(1000); s += i; } }\n"
              b"printf(\"%ld\\n\", s); return 0; }\n")
    with lib.Directory() as d:
        (d / "omp.c").write_bytes(source)
        made = lib.run(["gcc", "-O2", "-fopenmp", "-o", d / "omp",
                        d / "omp.c"], d, preload=False)
        expect_equal(made.status, 0, f"gcc ({made.err[-200:]})")
        result = lib.run([d / "omp"], d, env=KINDS)
        expect_equal((result.status, result.out), (0, b"780\n"), "result")


if __name__ == "__main__":
    lib.main()
