"""chains.py - inline chains by three tools, to compare them with ours.

A chain is a list of (file, line), innermost first, of one address in a file.
"""

import os
import re
import subprocess

from lib import Failure, command

UNKNOWN = ("??", 0)


def place(text):
    """`FILE:LINE[:COLUMN] [(discriminator N)]` to (file, line)."""
    text = text.strip().removesuffix(" (inlined by)")
    m = re.match(r"^(.*?):(\d+|\?)(?::\d+)?(?: .*)?$", text)
    if not m or m[1] == "??":
        return UNKNOWN
    return os.path.normpath(m[1]), 0 if m[2] == "?" else int(m[2])


def _run(argv, addresses):
    done = subprocess.run(
        argv, input="".join(f"{a:#x}\n" for a in addresses), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
        check=False)
    if done.returncode:
        raise Failure(f"{argv[0]}: {done.stderr[-200:]}")
    return done.stdout


def addr2line(path, addresses):
    """binutils."""
    out = _run([command("addr2line", "binutils"), "-a", "-i", "-e", path],
               addresses)
    chains = re.split(r"^0x[0-9a-f]+\n", out, flags=re.M)[1:]
    return [[place(l) for l in c.splitlines()] for c in chains]


def eu_addr2line(path, addresses):
    """elfutils, whose library we use, too. It needs .debug_aranges and fails
    without, as after clang: None."""
    sections = subprocess.run(["readelf", "-SW", path], text=True, check=True,
                              stdout=subprocess.PIPE).stdout
    if ".debug_aranges" not in sections:
        return None
    out = _run([command("eu-addr2line", "elfutils"), "-A", "-a", "-i", "-e",
                path], addresses)
    chains = re.split(r"^0x[0-9a-f]+\n", out, flags=re.M)[1:]
    return [[place(l) for l in c.splitlines()] for c in chains]


def llvm(path, addresses):
    """LLVM: one block an address, an empty line behind it."""
    out = _run([command("llvm-symbolizer", "llvm"), "--inlines",
                "--functions=none", "-e", path], addresses)
    return [[place(l) for l in c.splitlines() if l.strip()]
            for c in out.split("\n\n") if c.strip()]


def code_segment(path):
    """(p_vaddr, p_offset) of the first segment with code."""
    out = subprocess.run(["readelf", "-lW", path], text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    for line in out.splitlines():
        m = re.match(r" *LOAD +(0x\S+) (0x\S+) .* R E ", line)
        if m:
            return int(m[2], 16), int(m[1], 16)
    raise Failure(f"{path} has no code")


def ours(profile, path):
    """{address in the file: chain} of a symbolized profile."""
    vaddr, _ = code_segment(path)
    found = {}
    for location in profile.locations.values():
        if location.mapping and location.mapping.path == str(path):
            found[location.address - location.mapping.start + vaddr] = [
                (os.path.normpath(f.file), f.line) if f.file else UNKNOWN
                for f in location.frames]
    return found
