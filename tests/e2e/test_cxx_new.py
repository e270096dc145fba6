#!/usr/bin/env python3
"""operator new and delete: preload/cxx_new.c.

Where the allocator that serves malloc brings its own operators (jemalloc,
tcmalloc) they are counted. Everywhere else each caller gets what it would get
without us: plugins with and without operators of their own, and libraries of
such plugins, loaded RTLD_LOCAL into C and C++ programs, must answer the same;
a plugin that is given memory of another allocator to delete ends the program.
"""

import re

import lib
from ledger import (COLUMNS, allocated, books_of, expect_exact, expect_near,
                    live, sums)
from lib import case, expect, expect_equal

ALLOCATORS = {
    "jemalloc": "-l:libjemalloc.so.2",
    "tcmalloc": "-l:libtcmalloc.so.4",
}
SHARED = ("-shared", "-fPIC")
PLUGIN = "targets/libcxx_plugin.cc"
HOST = "targets/cxx_host.c"


def plugins(d):
    """Paths of plugins; they need libraries in d."""
    here = (f"-L{d}", "-Wl,-rpath,$ORIGIN")
    # Libraries: one without operators, one with a pool.
    lib.build(d, PLUGIN, "libplain_dep.so", *SHARED, "-DANSWER=dep_answer")
    lib.build(d, PLUGIN, "libpool_dep.so", *SHARED, "-DPOOL",
              "-DANSWER=dep_answer")
    kinds = {
        "plain.so": (),
        "pool.so": ("-DPOOL",),
        # The library's new is the plugin's, then.
        "pool_plain.so": ("-DPOOL", "-DASK=dep_answer", *here, "-lplain_dep"),
        "plain_pool.so": ("-DASK=dep_answer", *here, "-lpool_dep"),
        "early_pool_plain.so": ("-DPOOL", "-DEARLY", "-DASK=dep_answer", *here,
                                "-lplain_dep"),
        "now_pool.so": ("-DPOOL", "-Wl,-z,now"),
    }
    return [lib.build(d, PLUGIN, name, *SHARED, *flags)
            for name, flags in kinds.items()]


def hosts(d):
    """{name: path}."""
    force = "-Wl,--no-as-needed"
    found = {
        "C": lib.build(d, HOST, "c_host"),
        "C++": lib.build(d, HOST, "cxx_host", force, "-lstdc++"),
        "C++, bound at start": lib.build(d, HOST, "now_host", force,
                                         "-lstdc++", "-Wl,-z,now"),
    }
    for name, library in ALLOCATORS.items():
        found[f"C with {name}"] = lib.build(d, HOST, name, force, library)
    return found


def same_answers(d, host, mode, paths, **env):
    argv = [host, mode, *paths]
    plain = lib.run(argv, d, preload=False, env=env)
    # 3: the plugins do not get on with each other (libstdc++ took the operators
    # of the first). So it has to be with us.
    expect(plain.status in (0, 3), f"without us: {plain}")
    for rate in (0, 1, 524288):
        ours = lib.run(argv, d, env={"PPROFC_HEAP_RATE": rate, **env})
        lib.expect_same(plain, ours)
    return plain.out.decode()


@case
def plugins_get_the_operators_they_would_get():
    with lib.Directory() as d:
        paths = plugins(d)
        for name, host in hosts(d).items():
            for mode in ("lazy", "now"):
                # All in one process, in both orders, and each alone.
                for some in (paths, paths[::-1], *([p] for p in paths)):
                    out = same_answers(d, host, mode, some)
                wanted = "my pool" if name == "C" else "not my pool"
                expect(f"now_pool.so: {wanted}" in out,
                       f"{name}: the plugin's pool is no test: {out}")


@case
def plugins_loaded_before_our_constructor_get_theirs():
    """By the constructor of a library that is initialised before us."""
    with lib.Directory() as d:
        paths = plugins(d)
        for i, path in enumerate(paths):
            source = d / f"first{i}.c"
            source.write_text(
                '#include <dlfcn.h>\n#include <stdio.h>\n'
                'static __attribute__((constructor)) void first(void)\n{\n'
                f'\tvoid *h = dlopen("{path}", RTLD_LAZY | RTLD_LOCAL);\n'
                '\tconst char *(*answer)(void) = dlsym(h, "answer");\n'
                '\tprintf("first: %s\\n", answer());\n}\n')
            first = lib.build(d, source, f"libfirst{i}.so", *SHARED)
            host = lib.build(d, HOST, f"host{i}", "-Wl,--no-as-needed",
                             first)
            for some in ([], [path], paths):
                out = same_answers(d, host, "lazy", some)
                expect("first: " in out, out)


def ledger(d, name, library):
    program = lib.build(d, "targets/heap_ledger.cc", f"ledger_{name}",
                        "-fno-builtin", "-pthread", "-Wl,--no-as-needed",
                        library)
    for threads in (0, 8):
        result = lib.run([program, 100000, 3, threads, "foreign"], d, env={
            "PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": 1})
        expect(result.status == 0, f"status {result.status}: {result.err}")
        books = books_of(result.out)
        profile = lib.Profile(lib.profile_of(result, "heap"))
        expect("path_new_array" in books, "the ledger knows no operator new")
        expect_exact(
            books, profile, COLUMNS,
            (allocated, live))
        for f in result.profiles:
            f.unlink()


@case
def operators_of_jemalloc_are_counted():
    with lib.Directory() as d:
        ledger(d, "jemalloc", ALLOCATORS["jemalloc"])


@case
def operators_of_tcmalloc_are_counted():
    with lib.Directory() as d:
        ledger(d, "tcmalloc", ALLOCATORS["tcmalloc"])


@case
def operators_of_jemalloc_are_sampled_without_bias():
    rate, seeds = 4096, 5
    with lib.Directory() as d:
        program = lib.build(d, "targets/heap_ledger.cc", "ledger",
                            "-fno-builtin", "-pthread", "-Wl,--no-as-needed",
                            ALLOCATORS["jemalloc"])
        for seed in range(seeds):
            result = lib.run([program, 200000, seed, 0, "foreign"], d, env={
                "PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": rate})
            expect(result.status == 0, f"status {result.status}")
            got, rows = sums(
                lib.Profile(lib.profile_of(result, "heap")),
                COLUMNS)
            expect_near(
                books_of(result.out), got, rows, rate,
                f"seed {seed}")
            for f in result.profiles:
                f.unlink()


def bindings(d, argv, **env):
    result = lib.run(argv, d, env={
        "LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": d / "bindings", **env})
    expect_equal(result.status, 0, "status")
    files = list(d.glob("bindings.*"))
    text = "".join(f.read_text() for f in files)
    for f in files:
        f.unlink()
    return re.findall(r"binding file (\S+) \[0\] to (\S+) .*`(_Z[nd][wal]\w*)'",
                      text)


@case
def without_need_nobody_is_bound_to_us_later():
    """Calls of the program and of plugins go past us."""
    with lib.Directory() as d:
        paths = plugins(d)
        for name in ("c_host", "cxx_host"):
            host = lib.build(d, HOST, name, *(
                ("-Wl,--no-as-needed", "-lstdc++") if "cxx" in name else ()))
            found = bindings(d, [host, "now", *paths])
            expect(found, "no binding of an operator")
            for user, definer, symbol in found:
                expect("libpprofc" not in definer or "libstdc++" in user and
                       name == "cxx_host",
                       f"{name}: {symbol} of {user} is bound to us")


if __name__ == "__main__":
    lib.main()
