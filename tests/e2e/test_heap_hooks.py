#!/usr/bin/env python3
"""The hooks of the malloc family: reached, and invisible.

tests/targets/heap_hooks.c calls each function at its edges and prints results
and errno; the output must be the same without the library and with it, at any
rate. Other allocators: preloaded behind ours they serve and are counted;
before ours, or in the program itself, they leave us nothing to count, and the
profile says so.
"""

import os
import re

import lib
from lib import case, expect, expect_equal

HOOKS = ("malloc", "calloc", "realloc", "reallocarray", "free", "free_sized",
         "free_aligned_sized", "cfree", "memalign", "aligned_alloc",
         "posix_memalign", "valloc", "pvalloc", "malloc_usable_size")
JEMALLOC = "libjemalloc.so.2"
OFF = "no heap profiles: the program has a malloc of its own"


@case
def edges_and_errno_as_without_us():
    for rate in (0, 1, 100, 524288):
        with lib.Directory() as d:
            argv = [lib.target("heap_hooks")]
            plain = lib.run(argv, d, preload=False)
            expect_equal(plain.status, 0, "status")
            lib.expect_same(plain, lib.run(
                argv, d, env={"PPROFC_HEAP_RATE": rate}))


@case
def every_hook_is_what_programs_call():
    with lib.Directory() as d:
        result = lib.run([lib.target("heap_hooks"), "reach"], d, env={
            "LD_BIND_NOW": "1", "LD_DEBUG": "bindings",
            "LD_DEBUG_OUTPUT": d / "bindings"})
        expect_equal(result.out, b"0 all\n", "output")
        text = "".join(f.read_text() for f in d.glob("bindings.*"))
    for hook in HOOKS:
        bound = set(re.findall(
            rf"binding file \S*heap_hooks \[0\] to (\S+) .*`{hook}'", text))
        expect_equal({os.path.basename(b) for b in bound}, {"libpprofc.so"},
                     f"{hook} of the program is bound to")
    # And libc's own calls: strdup's malloc, for one.
    for hook in ("malloc", "calloc", "realloc", "free"):
        expect(re.search(rf"binding file \S*libc\.so\.6 \[0\] to "
                         rf"\S*libpprofc\.so .*`{hook}'", text),
               f"libc's {hook} is not bound to the library")


# Function: objects and bytes, allocated and in use.
REACHED = {
    "reach_malloc": (1, 101, 1, 101),
    "reach_calloc": (1, 102, 1, 102),
    "reach_realloc": (2, 104, 1, 103),
    "reach_reallocarray": (1, 104, 1, 104),
    "reach_memalign": (1, 105, 1, 105),
    "reach_aligned_alloc": (1, 106, 1, 106),
    "reach_posix_memalign": (1, 107, 1, 107),
    "reach_valloc": (1, 108, 1, 108),
    "reach_pvalloc": (1, 109, 1, 109),
    "reach_free": (1, 1003, 0, 0),
    "reach_cfree": (1, 1004, 0, 0),
    "reach_free_sized": (1, 1005, 0, 0),
    "reach_free_aligned_sized": (1, 1006, 0, 0),
}


def functions(profile):
    """{function: values} of all in any stack."""
    found = {}
    for s in profile.samples:
        for name in {f.name for l in s.stack for f in l.frames}:
            found[name] = tuple(map(sum, zip(
                found.get(name, (0, 0, 0, 0)), s.values)))
    return found


def reached(result):
    return functions(lib.Profile(lib.profile_of(result, "heap")))


def expect_reached(found):
    for name, values in REACHED.items():
        expect_equal(found.get(name), values, name)


@case
def every_hook_records():
    with lib.Directory() as d:
        result = lib.run([lib.target("heap_hooks"), "reach"], d, env={
            "PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": 1})
        expect_reached(reached(result))


def preloaded_with(directory, program, before, after, *arguments):
    libraries = [*before, str(lib.LIBRARY), *after]
    return lib.run([lib.target(program), *arguments], directory, env={
        "LD_PRELOAD": ":".join(libraries), "PPROFC_HEAP_RATE": 1})


@case
def an_allocator_behind_us_serves_and_is_counted():
    with lib.Directory() as d:
        result = preloaded_with(d, "heap_hooks", [], [JEMALLOC], "reach")
        expect_equal(result.status, 0, "status")
        expect_reached(reached(result))


def jemalloc_alone(directory):
    plain = lib.run([lib.target("heap_hooks"), "portable"], directory,
                    preload=False, env={"LD_PRELOAD": JEMALLOC})
    expect_equal(plain.status, 0, "status without us")
    return plain


@case
def its_edges_are_as_without_us():
    with lib.Directory() as d:
        lib.expect_same(jemalloc_alone(d), preloaded_with(
            d, "heap_hooks", [], [JEMALLOC], "portable"))


def comments(result):
    return lib.Profile(lib.profile_of(result, "cpu")).comments


@case
def an_allocator_before_us_is_left_alone():
    with lib.Directory() as d:
        lib.expect_same(jemalloc_alone(d), preloaded_with(
            d, "heap_hooks", [JEMALLOC], [], "portable"))
        expect_equal(lib.profiles(d, "heap"), [], "heap profiles")


@case
def a_program_with_its_own_malloc_is_left_alone():
    with lib.Directory() as d:
        argv = [lib.target("own_malloc")]
        log = d / "log"
        plain = lib.run(argv, d, preload=False)
        expect(plain.status == 0 and b"mine 0" not in plain.out, plain.out)
        ours = lib.run(argv, d, env={
            "PPROFC_LOG": log, "PPROFC_HEAP_RATE": 1})
        lib.expect_same(plain, ours)
        expect_equal(lib.profiles(d, "heap"), [], "heap profiles")
        expect(OFF in comments(ours), f"comments: {comments(ours)}")
        lines = [l for l in log.read_text().splitlines() if "heap" in l]
        expect(len(lines) == 1 and OFF in lines[0], f"log: {lines}")


@case
def the_comment_is_not_there_without_need():
    with lib.Directory() as d:
        for env in ({"PPROFC_PROFILES": "cpu"}, {"PPROFC_PROFILES": "cpu,heap",
                                                 "PPROFC_HEAP_RATE": 0}):
            result = lib.run([lib.target("own_malloc")], d, env=env)
            expect(OFF not in comments(result), f"{env}: {comments(result)}")
            for f in lib.profiles(d):
                f.unlink()


@case
def memory_from_before_us_can_be_freed():
    library = str(lib.BUILD / "targets" / "libbefore_us.so")
    for rate in (1, 1000, 524288):
        with lib.Directory() as d:
            result = lib.run([lib.target("before_us")], d, env={
                "LD_PRELOAD": f"{lib.LIBRARY}:{library}",
                "PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": rate})
            expect_equal(result.status, 0, f"status ({result.err!r})")
            expect_equal(result.out, b"3000 of 3000\n", "output")
            if rate == 1:
                expect_equal(reached(result).get("keep"),
                             (10, 10000, 10, 10000), "keep")


def parent_and_child(how, directory):
    """Profiles of the parent and of the child (or None)."""
    result = lib.run([lib.target("heap_fork"), how], directory, env={
        "PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": 1})
    expect_equal((result.status, result.out), (0, b"child 0\n"), "result")
    found = [functions(lib.Profile(f)) for f in result.profiles]
    parents = [f for f in found if "by_parent" in f]
    children = [f for f in found if "by_parent" not in f]
    expect(len(parents) == 1 and len(children) <= 1,
           f"{len(parents)} profiles of the parent, {len(children)} others")
    expect_equal(parents[0]["by_parent"], (30, 30000, 20, 20000), "by_parent")
    expect("by_child" not in parents[0], "the parent's has by_child")
    return children[0] if children else None


@case
def a_forked_child_counts_its_own():
    with lib.Directory() as d:
        child = parent_and_child("fork", d)
        expect(child, "no profile of the child")
        expect_equal(child["by_child"], (7, 3500, 7, 3500), "by_child")
        expect_equal(child["by_child_resize"], (10, 30000, 10, 30000),
                     "by_child_resize")


@case
def children_nobody_announces_do_no_harm():
    for how in ("_Fork", "clone"):
        with lib.Directory() as d:
            parent_and_child(how, d)


if __name__ == "__main__":
    lib.main()
