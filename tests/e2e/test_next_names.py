#!/usr/bin/env python3
"""The functions behind our hooks are those that dlsym(RTLD_NEXT) would find.

tests/targets/next_names.c asks for all of them in one process, in every order
of objects in which the answer might differ: other libraries in front of us and
behind us, tables of names of another kind, definitions that need more than a
look into a table, auditors.
"""

import re
import subprocess

import lib
from lib import case, expect, expect_equal

SYMBOLS = ("real", "real_names", "real_hashes", "real_find", "real_next")

# A library behind us, each name in another unusual manner.
ODD = r"""
#include <sys/types.h>
static int chosen(void) { return 1; }
static void *choose(void) { return chosen; }
int sigpending() __attribute__((ifunc("choose")));
__attribute__((weak)) int setgid() { return 2; }
int old_setuid() { return 3; }
int new_setuid() { return 4; }
int hidden_setegid() { return 5; }
__asm__(".symver old_setuid,setuid@ODD_1");
__asm__(".symver new_setuid,setuid@@ODD_2");
__asm__(".symver hidden_setegid,setegid@ODD_1");
__asm__(".globl sighold\nsighold: ret");
int siginterrupt = 6;
int malloc_usable_size() { return 7; }
"""
VERSIONS = "ODD_1 { global: *; };\nODD_2 { global: setuid; };\n"

# dlsym asks auditors, which may answer something else.
AUDIT = r"""
#include <link.h>
#include <string.h>
#include <stdint.h>
static int mine(void) { return 1; }
unsigned la_version(unsigned v) { return v; }
unsigned la_objopen(struct link_map *m, Lmid_t l, uintptr_t *c)
{
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}
uintptr_t la_symbind64(Elf64_Sym *s, unsigned n, uintptr_t *a, uintptr_t *b,
	unsigned *f, const char *name)
{
	return strcmp(name, "sigpending") ? s->st_value : (uintptr_t)mine;
}
"""


def symbols():
    """{name: (offset, size)} of what the target needs."""
    out = subprocess.run(["nm", "-S", str(lib.LIBRARY)], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    found = {}
    for line in out.splitlines():
        parts = line.split()
        if len(parts) == 4 and parts[3] in SYMBOLS:
            found[parts[3]] = (parts[0], parts[1])
    expect_equal(set(found), set(SYMBOLS), "symbols found")
    return found


def words():
    s = symbols()
    return [s["real"][0], s["real"][1], s["real_names"][0],
            s["real_hashes"][0], s["real_find"][0], s["real_next"][0]]


def library(directory, name, source, *flags):
    path = directory / f"{name}.c"
    path.write_text(source)
    subprocess.run(["gcc", "-w", "-D_GNU_SOURCE", "-shared", "-fPIC", "-fno-builtin", "-o",
                    str(directory / f"{name}.so"), str(path), *flags],
                   check=True)
    return directory / f"{name}.so"


def compared(directory, preload=(), env=None, program=None):
    """Run; returns the number of stubs left. Preloaded: our library where
    `preload` says None."""
    names = [str(p or lib.LIBRARY) for p in preload or [None]]
    result = lib.run([program or lib.target("next_names"), *words()],
                     directory, env={"LD_PRELOAD": ":".join(names),
                                     **(env or {})})
    expect_equal(result.status, 0, f"status: {result.err[-300:]}")
    found = re.fullmatch(rb"(\d+) names, (\d+) stubs\n", result.out)
    expect(found, f"{' '.join(names)}: {result.out.decode()}")
    expect(int(found[1]) > 60, f"{found[1]} names")
    return int(found[2])


@case
def names_are_found_where_libc_is_next():
    with lib.Directory() as d:
        expect(compared(d) > 40, "everything was looked up at the start")


@case
def names_are_looked_up_by_hand_there():
    with lib.Directory() as d:
        compared(d, env={"LD_DEBUG": "symbols",
                         "LD_DEBUG_OUTPUT": d / "symbols"})
        text = b"".join(f.read_bytes() for f in d.glob("symbols.*"))
    text = text.split(b"transferring control")[0]
    expect(b"symbol=memcpy;" in text, "LD_DEBUG printed no look-ups")
    for name in (b"sigtimedwait", b"initgroups", b"memalign", b"execveat"):
        expect(b"symbol=%s;" % name not in text,
               f"{name.decode()} was looked up by dlsym")


@case
def names_are_found_with_other_libraries_around():
    found = []
    for name in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4",
                 "libmimalloc.so.2", "libeatmydata.so.1"):
        with lib.Directory() as d:
            found.append(compared(d, [None, name]))
            compared(d, [name, None])
    expect_equal(found, [0] * len(found), "stubs left")


@case
def names_are_found_behind_libraries_of_the_program():
    with lib.Directory() as d:
        program = lib.build(d, "targets/next_names.c", "more", "-D_GNU_SOURCE",
                            "-Wl,--no-as-needed", "-lm", "-lpthread", "-lz")
        expect_equal(compared(d, program=program), 0, "stubs left")


@case
def names_are_found_where_definitions_are_odd():
    with lib.Directory() as d:
        (d / "map").write_text(VERSIONS)
        for style in ("gnu", "sysv", "both"):
            odd = library(d, f"odd_{style}", ODD,
                          f"-Wl,--version-script={d}/map",
                          f"-Wl,--hash-style={style}")
            compared(d, [None, odd])
            compared(d, [odd, None])
            compared(d, [None, odd], {"LD_BIND_NOW": 1})


@case
def names_are_found_in_the_order_that_the_user_wants():
    with lib.Directory() as d:
        weak = library(d, "weak", "__attribute__((weak)) int setgid()"
                                  " { return 2; }\n")
        compared(d, [None, weak], {"LD_DYNAMIC_WEAK": 1})
        audit = library(d, "audit", AUDIT)
        expect_equal(compared(d, env={"LD_AUDIT": audit}), 0,
                     "stubs left with an auditor")


@case
def names_are_found_where_the_program_needs_us():
    with lib.Directory() as d:
        program = lib.build(d, "targets/next_names.c", "needs", "-D_GNU_SOURCE",
                            "-Wl,--no-as-needed", str(lib.LIBRARY))
        compared(d, program=program, env={"LD_PRELOAD": ""})


if __name__ == "__main__":
    lib.main()
