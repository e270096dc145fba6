#!/usr/bin/env python3
"""make_seeds.py - first inputs of the fuzz targets, into tests/fuzz/corpus.

Small ELF files made by the compiler and byte by byte, and what the other
readers expect, in all its forms. What a fuzzer found on top of them is kept by
`scripts/fuzz --keep`; so this is only run when a target is new.
"""
import gzip
import os
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

SOURCE = r"""
#include <stdarg.h>
void use(void *);
static int local(int x) { volatile int a[8]; a[x & 7] = x; return a[1]; }
int frame(int n) { int a[n]; use(a); return local(a[0]) + 1; }
int realigned(int x) {
	_Alignas(64) char a[128]; a[0] = (char)x; use(a); return local(a[1]); }
__attribute__((weak)) int weak_one(int x) { use(&x); return x; }
int alias_one(int) __attribute__((alias("weak_one")));
void use(void *p) { __asm__ volatile("" : : "r"(p) : "memory", "rbx", "r12"); }
__asm__(".text\n.globl label_only\nlabel_only:\nnop\nret\n"
	".globl signal_frame\n.type signal_frame,@function\nsignal_frame:\n"
	".cfi_startproc\n.cfi_signal_frame\n.cfi_def_cfa %rsp, 8\n"
	".cfi_escape 0x0f,5,0x77,32,0x06,0x23,8\n"
	".cfi_remember_state\nnop\n.cfi_undefined rip\nnop\n"
	".cfi_restore_state\n.cfi_escape 0x10,3,2,0x76,0x70\nnop\n"
	".cfi_register rip, rdx\nnop\n.cfi_val_offset rsp, 0\nnop\n"
	"ret\n.cfi_endproc\n.size signal_frame, .-signal_frame\n");
int main(void) { return frame(3) + realigned(4); }
void _start(void) { main(); __builtin_trap(); }
"""
SMALL = ["-nostdlib", "-Os", "-fno-stack-protector", "-Wl,-z,noseparate-code",
         "-Wl,-z,max-page-size=4096", "-Wl,--build-id", "-w"]
INTERP = ["-pie", "-Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2"]


def save(target, name, data):
    directory = os.path.join(HERE, "corpus", target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "seed-" + name), "wb") as f:
        f.write(data)


def compiled(*flags):
    """The bytes of a small program."""
    with tempfile.TemporaryDirectory() as work:
        source, out = os.path.join(work, "a.c"), os.path.join(work, "a")
        with open(source, "w", encoding="ascii") as f:
            f.write(SOURCE)
        command, after = [], []
        for flag in flags:
            (after if flag.startswith("--") else command).append(flag)
        subprocess.run(["gcc", *SMALL, *command, "-o", out, source],
                       check=True)
        if after:
            subprocess.run(["objcopy", *after, out], check=True)
        with open(out, "rb") as f:
            return f.read()


def segments(elf):
    """(type, flags, offset, vaddr, filesz, memsz) of each."""
    offset, = struct.unpack_from("<Q", elf, 32)
    count, = struct.unpack_from("<H", elf, 56)
    for i in range(count):
        kind, flags, off, vaddr, _, filesz, memsz, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, offset + 56 * i)
        yield kind, flags, off, vaddr, filesz, memsz


def image_of(elf):
    """Its memory, and the address of .eh_frame_hdr."""
    memory, header = bytearray(), 0
    for kind, _, off, vaddr, filesz, _ in segments(elf):
        if kind == 1:
            memory.extend(bytes(max(0, vaddr + filesz - len(memory))))
            memory[vaddr:vaddr + filesz] = elf[off:off + filesz]
        elif kind == 0x6474e550:
            header = vaddr
    return bytes(memory), header


# --- ELF by hand -------------------------------------------------------------

def by_hand(symbols, table=2, sections=6, note_type=7, phdrs=2, entsize=24):
    """As tests/unit/elf_by_hand.h: headers, segments, sections, a note, a
    symbol table and its names."""
    names = b"\0"
    entries = bytes(24)
    for name, info, section, value, size in symbols:
        entries += struct.pack("<IBBHQQ", len(names), info, 0, section, value,
                               size)
        names += name + b"\0"
    note = struct.pack("<III4s8s", 4, 8, 3, b"GNU", b"\1\2\3\4\5\6\7\10")
    at_sections = 64 + 56 * 2
    at_note = at_sections + 64 * 6
    at_symbols = at_note + len(note)
    at_names = at_symbols + len(entries)
    ident = b"\x7fELF\2\1\1" + bytes(9)
    out = ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, at_sections,
                              0, 64, 56, phdrs, 64, sections, 0)
    out += struct.pack("<IIQQQQQQ", 1, 5, 4096, 4096, 0, 4096, 4096, 4096)
    out += struct.pack("<IIQQQQQQ", 4, 4, at_note, at_note, 0, len(note),
                       len(note), 4)

    def section(kind, flags, addr, off, size, link=0, ent=0):
        return struct.pack("<IIQQQQIIQQ", 0, kind, flags, addr, off, size,
                           link, 0, 8, ent)

    out += section(0, 0, 0, 0, sections if sections > 6 else 0)
    out += section(1, 4, 4096, 0, 2048) + section(1, 4, 6144, 0, 2048)
    out += section(table, 0, 0, at_symbols, len(entries), 4, entsize)
    out += section(3, 0, 0, at_names, len(names))
    out += section(note_type, 0, 0, at_note, len(note))
    return out + note + entries + names


def elf_seeds():
    func, weak, label, data = 0x12, 0x22, 0x10, 0x11
    several = [(b"one", func, 1, 0x1000, 64), (b"two", weak, 1, 0x1000, 64),
               (b"__two", func, 1, 0x1000, 64), (b"inner", 2, 1, 0x1010, 16),
               (b"label@@V1", label, 1, 0x1100, 0), (b"d", data, 1, 0x1140, 8),
               (b"init", label, 2, 0x1800, 0), (b"ifunc", 0x1a, 1, 0x1200, 64),
               (b"x" * 600, func, 1, 0x1300, 64), (b"abs", func, 0xfff1, 1, 1),
               (b"all", func, 1, 0, 1 << 63), (b"", func, 1, 0x1400, 64)]
    save("symbols", "symtab", by_hand(several))
    save("symbols", "dynsym", by_hand(several, table=11))
    save("symbols", "no-note-section", by_hand(several, note_type=1))
    save("symbols", "no-build-id", by_hand(several, note_type=1, phdrs=1))
    save("symbols", "extended-count", by_hand(several, sections=0))
    save("symbols", "entry-size", by_hand(several, entsize=32))
    for name, flags in {"pie": INTERP, "so": ["-shared", "-fPIC"],
                        "static": ["-static"],
                        "stripped": [*INTERP, "--strip-all"],
                        "debug": [*INTERP, "-g", "--only-keep-debug"],
                        "lld": [*INTERP, "-fuse-ld=lld"],
                        "hash": ["-shared", "-fPIC", "-Wl,--hash-style=gnu"],
                        }.items():
        elf = compiled(*flags)
        save("symbols", name, elf)
        save("target", name, elf[:1024])
        if name != "debug":
            memory, header = image_of(elf) if name != "static" else (b"", 0)
            if header:
                save("cfi", name, struct.pack("<H", header) + memory)
            save("object", name, (memory or elf)[:4096])
    save("object", "by-hand", by_hand([]))


# --- the others --------------------------------------------------------------

def dwarf_seeds():
    """Small sections of all that is looked at, in both versions."""
    for name, flags in {"5": [], "4": ["-gdwarf-4"], "types": [
            "-fdebug-types-section"], "ranges": ["-ffunction-sections"],
                        "zlib": ["-Wl,--compress-debug-sections=zlib"],
                        "split": ["-gsplit-dwarf"]}.items():
        save("dwarf", name, compiled("-shared", "-fPIC", "-g", "-O2", *flags))
    for name, flags in (("debug", ["--only-keep-debug"]),
                        ("none", ["--strip-debug"])):
        save("dwarf", name, compiled(*INTERP, "-g", *flags))


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def profile_seeds():
    names = [b"", b"cpu", b"ns", b"/bin/x", b"ab12", b"main",
             b"_ZN2ns3fooIiEEvT_", b"_RNvC3abc4main", b"a.c", b"note",
             b"_ZN4core3fmt17h0123456789abcdefE"]
    strings = b"".join(text(6, s) for s in names)
    mapping = text(3, b"".join(number(i + 1, v) for i, v in enumerate(
        [1, 0x400000, 0x500000, 0x1000, 3, 4, 1, 0, 0, 0])))
    functions = b"".join(text(5, number(1, i) + number(2, i + 4) +
                              number(3, i + 4) + number(4, 8) + number(5, 9))
                         for i in range(1, 5))
    locations = b"".join(
        text(4, number(1, i) + number(2, 1) + number(3, 0x400000 + i) +
             text(4, number(1, i) + number(2, 17 * i)) +
             (text(4, number(1, 1)) if i == 2 else b""))
        for i in range(1, 5))
    sample = text(2, text(1, varint(1) + varint(2)) + text(2, varint(7)) +
                  text(3, number(1, 9) + number(3, 5)))
    unpacked = text(2, number(1, 3) + number(2, 1))
    header = text(1, number(1, 1) + number(2, 2)) + number(9, 1 << 60) + \
        number(10, 5) + text(11, number(1, 1)) + number(12, 100) + \
        text(13, varint(9)) + number(14, 1)
    whole = header + sample + unpacked + mapping + locations + functions + \
        strings
    save("profile", "whole", whole)
    save("profile", "strings-first", strings + functions + locations + mapping)
    save("profile", "gzip", gzip.compress(whole, mtime=0))
    save("profile", "two-members", gzip.compress(whole[:100], mtime=0) +
         gzip.compress(whole[100:], mtime=0))
    save("profile", "cut", gzip.compress(whole, mtime=0)[:60])
    save("profile", "unknown-fields", whole + text(99, b"xyz") +
         varint(100 << 3 | 5) + b"1234" + varint(101 << 3 | 1) + b"12345678")
    save("profile", "large-id", whole + text(5, number(1, 2 ** 64 - 1)))
    save("profile", "twice", whole + whole)


def perf_map_seeds():
    save("perf_map", "usual", b"1000 40 LazyCompile:~f a.js:1\n"
         b"1040 20 name with blanks\n100000 ffffff all\n")
    save("perf_map", "forms", b"0x1000 0x10 hex\n1010 10\n1020  10 two\n"
         b"zz 10 bad\n1030 10 \n1000 ffffffffffffffff all\n\n1000 10 last")
    save("perf_map", "long", b"1000 100000 " + b"n" * 5000 + b"\n1010 10 b\n")
    save("perf_map", "full", (b"1000 8 f\n" * 8000)[:66000])


def rule(kind, reg=0, offset=0, rbp=0, rbx=0, start=0):
    return (kind | reg << 4 | ((offset >> 3) & 0xfffff) << 8 | rbp << 28 |
            rbx << 39 | start << 47)


def unwind_seeds():
    code, stack = 0x220000000000, 0x210000000000
    end, lost, at_cfa, at_rbp = 7, 3, 1, 2
    rules = [rule(1, 7, 8), rule(1, 7, 16, at_cfa | 1 << 2),
             rule(1, 6, 16, at_cfa | 1 << 2, at_cfa | 2 << 2),
             rule(2, 6, -8, at_rbp), rule(3, 7, 32), rule(4, 7, 88),
             rule(5, 0, 8), rule(6), rule(end), rule(8), rule(9), rule(10),
             rule(1, 10, 0, at_rbp), rule(1, 7, 8, lost, lost), rule(1, 7, 0),
             rule(1, 7, 16, 0, 0, 1)]
    for flags in range(8):
        for first in range(0, 16, 2):
            regs = [stack + 64] * 16 + [code + first + (not flags & 2)]
            regs[7] = stack
            words = []
            for i in range(40):
                words += [stack + 16 * i + 32, code + (first + i) % 16 + 1]
            save("unwind", f"{flags}-{first}",
                 bytes([len(rules), flags, 60]) +
                 struct.pack(f"<{len(rules)}Q", *rules) +
                 struct.pack("<17Q", *regs) +
                 struct.pack(f"<{len(words)}Q", *words))


def config_seeds():
    values = ["", "0", "1", "100", "99999999999999999999", "512k", "16M",
              "1G", "none", "SIGUSR2", "usr1", "RTMIN+3", "rtmin", "64",
              "cpu,heap", "cpu,,heap", "allocs,heap_peak", "names", "yes",
              "no", "/tmp/%e.%p.%k.%n.%t.%h.%%.pb.gz", "a/b%", "%x", "./x/",
              "/dev/shm", "auto", "anonymous", "stderr", "/tmp/x.log", "/",
              "a*[b-c]?", "x" * 1100, "%%" * 600, "\1\33[31m"]
    for i in range(17):
        for k, value in enumerate(values):
            if (i + k) % 2 == 0 or k > 18:
                save("config", f"{i}-{k}", bytes([i]) + value.encode())


def sandbox_seeds():
    def code(*instructions):
        return b"".join(struct.pack("<HBBI", *i) for i in instructions)

    allow, kill = (6, 0, 0, 0x7fff0000), (6, 0, 0, 0x80000000)
    save("sandbox", "allow", code(allow))
    save("sandbox", "number", code((0x20, 0, 0, 0), (0x15, 0, 1, 39), kill,
                                   allow))
    save("sandbox", "arch", code((0x20, 0, 0, 4), (0x15, 1, 0, 0xc000003e),
                                 kill, (0x20, 0, 0, 16), (0x45, 0, 1, 3),
                                 (6, 0, 0, 0x50001), allow))
    alu = [(0x04 | op, 0, 0, 3) for op in range(0, 0xb0, 0x10)]
    alu += [(0x0c | op, 0, 0, 0) for op in range(0, 0xb0, 0x10)]
    save("sandbox", "alu", code((0x00, 0, 0, 7), (0x01, 0, 0, 5), *alu,
                                (2, 0, 0, 3), (3, 0, 0, 9), (0x60, 0, 0, 3),
                                (0x61, 0, 0, 9), (7, 0, 0, 0), (0x87, 0, 0, 0),
                                (0x80, 0, 0, 0), (0x16, 0, 0, 0)))
    jumps = [(0x05, 0, 0, 1), kill, (0x25, 0, 1, 5), (0x35, 1, 0, 5),
             (0x1d, 0, 0, 0), (0x2d, 0, 0, 0), allow, allow]
    save("sandbox", "jumps", code(*jumps))
    save("sandbox", "far", code((0x05, 0, 0, 0xffffffff), allow))
    save("sandbox", "most", code(*[(0x04, 0, 0, 1)] * 4095, allow))


def status_seeds():
    save("status", "usual",
         b"pprofc[12]: wrote /tmp/a.heap.pb.gz (heap, 12 samples)\n"
         b"pprofc[13]: wrote /dev/null (cpu, 1 sample)\n"
         b"pprofc[13]: wrote /dev/zero (cpu, 2 samples)\n"
         b"pprofc[14]: no cpu profile written: error 28\n"
         b"pprofc[15]: no cpu profile written: error 28\n"
         b"pprofc[16]: PPROFC_PROGRAM does not match x\n")
    save("status", "forms", b"pprofc[]: x\npprofc[99999999999999999999]: y\n"
         b"wrote  (\nwrote / (a, 1 sample)\nwrote /x (b, 1 sample) (c, d)\n"
         b"wrote /dev/null (, 18446744073709551616 samples)\nerror -1\n\n\0x\n"
         b"pprofc[1]: wrote /dev/'null' (cpu, 3 samples)")
    save("status", "many", b"".join(
        b"pprofc[%d]: wrote /dev/null (cpu, %d samples)\nproblem %d\n"
        % (i, i, i) for i in range(40)))


def target_seeds():
    for i, text in enumerate([
            b"#!/bin/sh\n", b"#! /bin/sh -x\necho\n", b"#!", b"#!\n",
            b"#!" + b"x" * 300, b"#!  \t\n", b"#!/nowhere/x", b"#!/tmp",
            b"#!/dev/null\n", b"\x7fELF", b"", b"#!/usr/bin/env python3\n"]):
        save("target", f"text-{i}", text)
    elf = bytearray(compiled(*INTERP)[:1024])
    for at, value, name in ((18, 183, "arm"), (4, 1, "32-bit"),
                            (56, 255, "headers")):
        other = bytearray(elf)
        other[at] = value
        save("target", name, bytes(other))


def session_seeds():
    save("session", "none", b"")
    for part in range(16):
        for at in (0, 8, 64):
            save("session", f"{part}-{at}",
                 struct.pack("<BHB", part, at, 7) + b"\xff" * 8)
            save("session", f"{part}-{at}-zero",
                 struct.pack("<BHB", part, at, 31) + bytes(32))


SESSION_AT, SESSION_PID = 32 << 10, 4711  # fuzz_core.c, good_session.h


def note(kind, data, name=b"CORE\0"):
    def padded(b):
        return b + bytes(-len(b) % 4)
    return struct.pack("<3I", len(name), len(data), kind) + padded(name) + \
        padded(data)


def core_seeds():
    def core(notes, loads, head=b""):
        at = 64 + 56 * (len(loads) + 1)
        segments = [(4, 0, at, 0, 0, len(notes), 0, 1)] + [
            (1, flags, where, 0x1000, 0, size, size, 4096)
            for flags, where, size in loads]
        data = struct.pack("<16s2HI3QI6H", b"\x7fELF\2\1\1", 4, 62, 1, 0, 64,
                           0, 0, 64, 56, len(segments), 0, 0, 0)
        return head or data + b"".join(
            struct.pack("<2I6Q", *s) for s in segments) + notes

    def process(pid, signal):
        info = bytearray(136)
        struct.pack_into("<I", info, 24, pid)
        status = bytearray(336)
        struct.pack_into("<H", status, 12, signal)
        return note(3, bytes(info)) + note(1, bytes(status))

    def files(*names):
        return note(0x46494c45, struct.pack("<2Q", len(names), 4096) + b"".join(
            struct.pack("<3Q", 4096 * i, 4096 * i + 4096, 0)
            for i in range(len(names))) + b"".join(names))

    session = (6, SESSION_AT, 4 << 20)
    ours = files(b"/bin/x\0", b"/dev/shm/pprofc.4711.1.session\0", b"/y\0")
    for name, notes in (("none", b""), ("gcore", process(SESSION_PID, 0)),
                        ("killed", process(SESSION_PID, 11) + ours),
                        ("other", process(1, 6)), ("files", ours),
                        ("cut-name", files(b"/dev/shm/pprofc.session")),
                        ("cut-slash", files(b"/x/pprof")),
                        ("two", process(SESSION_PID, 6) * 2 + ours * 2)):
        save("core", name, core(notes, [(5, 0, 4096), session]))
        save("core", name + "-without", core(notes, [(6, 0, 4096)]))
    save("core", "twice", core(b"", [session, session, (4, *session[1:])]))
    save("core", "short", core(b"", [(6, SESSION_AT, 8192),
                                     (6, SESSION_AT, 1 << 63)]))
    whole = bytearray(core(ours, [session]))
    struct.pack_into("<H", whole, 56, 0xffff)
    struct.pack_into("<Q", whole, 40, 64)  # the count is where sh_info is
    save("core", "many", bytes(whole))


def elf_names_seeds():
    def symbol(info, section, size, start, name):
        return struct.pack("<2B2B2BB", info, section, 0, size, 0, start, name)

    table = [symbol(0x12, 1, 16, 16 * i, 2 + i % 6) for i in range(14)]
    nested = [symbol(b << 4 | 2, 1, 200 >> i, 10 + i, 2 + i)
              for i, b in enumerate((0, 1, 2, 1, 0))]
    same = [symbol(b << 4 | 2, 1, 9 + b, 50, n) for b in range(3)
            for n in range(8)]
    for name, symbols in (("table", table), ("nested", nested),
                          ("same", same), ("all", table + nested + same)):
        save("elf_names", name, struct.pack("<BH", 0, len(symbols) + 2) +
             b"".join(symbols) + b"".join(
                 struct.pack("<2B", 0, 13 * i) for i in range(16)))
    save("elf_names", "wraps", struct.pack("<BH", 0, 3) + struct.pack(
        "<2BBQBQB", 0x12, 1, 1, 2 ** 64 - 8, 1, 100, 2) + bytes(40))


if __name__ == "__main__":
    core_seeds()
    elf_names_seeds()
    elf_seeds()
    dwarf_seeds()
    profile_seeds()
    perf_map_seeds()
    unwind_seeds()
    config_seeds()
    sandbox_seeds()
    status_seeds()
    target_seeds()
    session_seeds()
