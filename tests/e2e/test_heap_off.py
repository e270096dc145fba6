#!/usr/bin/env python3
"""The malloc family when the heap is off: jumps to the real functions.

Another page takes the place of the one with the hooks (preload/hook_page.c).
Programs run as without the library where it does, where the kernel refuses it,
beside other allocators, in children, and with threads that allocate meanwhile.
test_instructions.py counts what a call costs.
"""

import re
import subprocess

import lib
from lib import case, expect, expect_equal

OFF = ({"PPROFC_PROFILES": "none"}, {"PPROFC_PROFILES": "cpu"},
       {"PPROFC_PROFILES": "heap", "PPROFC_HEAP_RATE": 0})
JEMALLOC = "libjemalloc.so.2"
SLOT, FIRST = 64, 7  # bytes of a slot, and of its first instruction
JUMP = bytes((0x48, 0xff, 0x25))
LOADS = (bytes((0x48, 0x8b, 0x0d)), bytes((0x48, 0x8d, 0x0d)))


def pages():
    """Both pages as they are in the file, where addresses are offsets."""
    symbols = subprocess.run(["nm", str(lib.LIBRARY)], check=True,
                             capture_output=True, text=True).stdout
    image = lib.LIBRARY.read_bytes()
    return [image[at:at + 4096] for at in (
        int(re.search(rf"^(\w+) . {name}$", symbols, re.M)[1], 16)
        for name in ("hook_page", "hook_page_off"))]


@case
def the_pages_differ_in_first_instructions_alone():
    """What a thread that is inside a slot, and a debugger, depend on. No slot
    of a build for tracked branches: these begin with an endbr64."""
    before, after = pages()
    count = 0
    for at in range(0, 4096, SLOT):
        a, b = before[at:at + SLOT], after[at:at + SLOT]
        expect_equal(b[FIRST:], a[FIRST:], f"rest of slot {at // SLOT}")
        if a[0] == 0xcc:
            expect_equal(b, a, "padding")
            continue
        count += 1
        expect(a[:3] in LOADS and b[:3] == JUMP,
               f"slot {at // SLOT}: {a[:3].hex()}, {b[:3].hex()}")
    expect_equal(count, 13, "slots")


def text_of(result):
    """[(file offset, or None)] of each page of the library's code, in order."""
    expect_equal(result.status, 0, f"status ({result.err[-200:]!r})")
    lines = [l.split() for l in result.out.decode().splitlines()]
    ours = [i for i, l in enumerate(lines) if l[-1] == str(lib.LIBRARY)]
    expect(ours, "the library is not mapped")
    found, end = [], None
    for fields in lines[ours[0]:ours[-1] + 1]:
        lo, hi = (int(x, 16) for x in fields[0].split("-"))
        expect(end in (None, lo), f"a hole before {fields[0]}")
        end = hi
        is_file = fields[-1] == str(lib.LIBRARY)
        if "x" in fields[1] or not is_file:
            expect_equal(fields[1], "r-xp" if is_file else "---p",
                         f"access to {fields[0]}")
            found += [int(fields[2], 16) + i if is_file else None
                      for i in range(0, hi - lo, 4096)]
    return found


def expect_left(result):
    """One page of code has moved to where the page before it was."""
    offsets = text_of(result)
    expect_equal(offsets.count(None), 1, "pages without a file")
    at = offsets.index(None)
    expect_equal(offsets, [
        (offsets[0] + i * 4096 + (4096 if i == at - 1 else 0))
        if i != at else None for i in range(len(offsets))], "offsets")


def maps(directory, *how, **env):
    return lib.run([*how, lib.target("show_maps")], directory, env=env)


@case
def the_page_is_exchanged_when_the_heap_is_off():
    for env in OFF:
        with lib.Directory() as d:
            expect_left(maps(d, **env))


@case
def the_page_stays_when_the_heap_is_on():
    with lib.Directory() as d:
        expect(None not in text_of(maps(d, PPROFC_PROFILES="heap")),
               "a page of code has gone")


@case
def no_policy_against_written_code_refuses_it():
    with lib.Directory() as d:
        result = maps(d, lib.target("refuse"), "mdwe", PPROFC_PROFILES="none")
        if result.status == 77:
            lib.note("this kernel has no PR_SET_MDWE")
            return
        expect_left(result)


@case
def refused_it_works_as_before():
    with lib.Directory() as d:
        how = (lib.target("refuse"), "mremap")
        result = maps(d, *how, PPROFC_PROFILES="none")
        expect(None not in text_of(result), "mremap was not refused")
        plain = lib.run([*how, lib.target("heap_hooks")], d, preload=False)
        for env in OFF:
            lib.expect_same(plain, lib.run([*how, lib.target("heap_hooks")], d,
                                           env=env))


@case
def edges_and_errno_as_without_us():
    for env in OFF:
        with lib.Directory() as d:
            argv = [lib.target("heap_hooks")]
            lib.expect_same(lib.run(argv, d, preload=False),
                            lib.run(argv, d, env=env))


@case
def beside_another_allocator():
    with lib.Directory() as d:
        argv = [lib.target("heap_hooks"), "portable"]
        plain = lib.run(argv, d, preload=False, env={"LD_PRELOAD": JEMALLOC})
        for order in (f"{lib.LIBRARY}:{JEMALLOC}", f"{JEMALLOC}:{lib.LIBRARY}"):
            for env in OFF:
                lib.expect_same(plain, lib.run(
                    argv, d, env={"LD_PRELOAD": order, **env}))


@case
def memory_from_before_us_can_be_freed():
    library = lib.BUILD / "targets" / "libbefore_us.so"
    with lib.Directory() as d:
        for env in OFF:
            result = lib.run([lib.target("before_us")], d, env={
                "LD_PRELOAD": f"{lib.LIBRARY}:{library}", **env})
            expect_equal((result.status, result.out), (0, b"3000 of 3000\n"),
                         "result")


@case
def children_use_it_too():
    for how in ("fork", "_Fork", "clone"):
        with lib.Directory() as d:
            argv = [lib.target("heap_fork"), how]
            plain = lib.run(argv, d, preload=False)
            expect_equal(plain.status, 0, "status")
            for env in OFF:
                lib.expect_same(plain, lib.run(argv, d, env=env))


@case
def while_threads_allocate():
    """Their constructor runs before ours: libbusy.c."""
    library = lib.BUILD / "targets" / "libbusy.so"
    with lib.Directory() as d:
        for _ in range(200 if lib.LONG else 20):
            expect_left(maps(d, LD_PRELOAD=f"{lib.LIBRARY}:{library}",
                             PPROFC_PROFILES="none"))


@case
def cpu_samples_in_the_moved_page_have_their_stack():
    with lib.Directory() as d:
        result = lib.run([lib.target("alloc_pairs"), 60000000], d,
                         env={"PPROFC_PROFILES": "cpu", "PPROFC_CPU_HZ": 1000})
        profile = lib.Profile(lib.profile_of(result, "cpu"))
    total = sum(s.values[1] for s in profile.samples)
    in_main = sum(s.values[1] for s in profile.samples if any(
        f.name == "main" for l in s.stack for f in l.frames))
    lib.note(f"{in_main / total:.4f} of {total / 1e9:.2f} s in main")
    expect(in_main >= 0.98 * total, f"{in_main} of {total} ns in main")


if __name__ == "__main__":
    lib.main()
