"""test_build.py - what the build hands out: one library that needs libc only,
exports the hooks only, binds nothing of the host and is bound by nothing but
its hooks; an installation that works; a tree of the agreed shape.
"""

import collections
import ctypes.util
import os
import re
import subprocess

import lib

ALLOWED_NEEDED = {"libc.so.6", "ld-linux-x86-64.so.2"}
TOP_LEVEL = {"Makefile", "README.md", "core", "man", "preload", "proto",
             "scripts", "tests"}
BINDING = re.compile(
    rb"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `(\S+)'")

# A program that defines names our static libraries and our own code use, and
# exports them. Each ends the program with status 99.
HOSTILE_NAMES = """
deflateInit2_ deflate deflateEnd crc32 adler32 protobuf_c_message_pack
unw_backtrace unw_step unw_init_local _Ux86_64_step _Ux86_64_init_remote
arena_alloc log_line fmt session_create session_extend sys_open
ring_push unwind report_write thread_state process config_table real
""".split()


def readelf(option, path=lib.LIBRARY):
    return subprocess.run(["readelf", "-W", option, str(path)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def listed_names():
    text = (lib.ROOT / "preload" / "exports.list").read_text()
    return set(re.findall(r"^(\w+)", text, re.M))


def libc_names():
    libc = ctypes.util.find_library("c")
    path = next(line.split()[-1] for line in open("/proc/self/maps",
                                                  encoding="utf-8")
                if line.rstrip().endswith("/" + libc))
    return {line.split()[7].split("@")[0]
            for line in readelf("--dyn-syms", path).splitlines()
            if len(line.split()) >= 8 and line.split()[6] != "UND"}


def compile_c(directory, name, source, *flags):
    path = directory / f"{name}.c"
    path.write_text(source)
    subprocess.run(["gcc", "-w", "-o", str(directory / name), str(path),
                    *flags], check=True)
    return directory / name


def bindings(argv, directory):
    """Who was bound to what: a set of (from, to, symbol), base names."""
    log = directory / "bindings"
    result = lib.run(argv, directory, env={
        "LD_DEBUG": "bindings", "LD_BIND_NOW": 1, "LD_DEBUG_OUTPUT": log})
    lib.expect_equal(result.status, 0, f"status of {argv[0]}")
    text = b"".join(f.read_bytes() for f in directory.glob("bindings.*"))
    found = {tuple(os.path.basename(part).decode() for part in m)
             for m in BINDING.findall(text)}
    lib.expect(found, "LD_DEBUG=bindings printed nothing")
    return found


@lib.case
def library_needs_libc_and_loader_only():
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d")))
    lib.expect(needed <= ALLOWED_NEEDED and "libc.so.6" in needed,
               f"NEEDED is {sorted(needed)}")


@lib.case
def library_is_bound_at_once_stays_and_is_not_writable_code():
    dynamic = readelf("-d")
    flags = re.search(r"\(FLAGS_1\).*Flags: (.*)", dynamic)
    lib.expect(flags and {"NOW", "NODELETE"} <= set(flags[1].split()),
               f"flags are {flags and flags[1]}")
    for tag in ("TEXTREL", "SONAME", "RPATH", "RUNPATH"):
        lib.expect(f"({tag})" not in dynamic, f"{tag} is there")
    segments = readelf("-l")
    lib.expect("GNU_RELRO" in segments, "no RELRO")
    for line in segments.splitlines():
        lib.expect(not re.search(r"\bRWE\b", line), f"writable code: {line}")


@lib.case
def library_uses_no_dynamic_tls():
    undefined = readelf("--dyn-syms")
    lib.expect("__tls_get_addr" not in undefined, "__tls_get_addr is called")
    relocations = readelf("-r")
    lib.expect("DTPMOD" not in relocations and "TLSDESC" not in relocations,
               "a dynamic TLS relocation is there")


@lib.case
def library_names_no_path_of_the_build_machine():
    path = re.compile(rb"(?<![\w./-])" + re.escape(str(lib.ROOT).encode()))
    for name in ("libpprofc.so", "pprofc"):
        data = (lib.BUILD / name).read_bytes()
        lib.expect(not path.search(data), f"{name} contains {lib.ROOT}")


@lib.case
def bindings_into_us_are_hooks_and_ours_go_to_libc():
    names = listed_names()
    python = "/usr/bin/python3"
    script = "import ctypes, json, zlib, hashlib, threading, sqlite3"
    with lib.Directory() as directory:
        found = bindings([python, "-c", script], directory)
    into = {(a, s) for a, b, s in found if b == "libpprofc.so"}
    lib.expect(any(a != "libpprofc.so" for a, _ in into),
               "nothing was bound to the library: not preloaded?")
    wrong = {(a, s) for a, s in into if s not in names}
    lib.expect(not wrong, f"bound into us: {sorted(wrong)}")
    # A program that is not position independent answers for names of libc's
    # (copies of data, addresses of functions): that is where they then are.
    libc = libc_names()
    out = {(b, s) for a, b, s in found if a == "libpprofc.so"
           and b not in ALLOWED_NEEDED | {"libpprofc.so"} and s not in libc}
    lib.expect(not out, f"ours bound to somebody else: {sorted(out)}")


@lib.case
def hashes_of_exported_names_differ():
    """So that cxx_new.c finds its names by their hashes alone."""
    hashes = collections.Counter()
    for name in listed_names():
        h = 5381
        for c in name.encode():
            h = (h * 33 + c) & 0xffffffff
        hashes[h >> 1] += 1
    lib.expect(max(hashes.values()) == 1, "two names have one hash")


@lib.case
def bindings_ignore_names_the_host_defines():
    source = "#include <unistd.h>\n#include <stdlib.h>\n" + "".join(
        f"void {n}(void) {{ _exit(99); }}\n" for n in HOSTILE_NAMES)
    source += """
int main(void)
{
	volatile unsigned long x = 1;
	for (unsigned long i = 0; i < 300000000; i++)
		x = x * 3 + i;
	for (int i = 0; i < 100000; i++)
		free(malloc(1000));
	return 0;
}
"""
    with lib.Directory() as directory:
        program = compile_c(directory, "names", source, "-O1", "-rdynamic",
                            "-fno-builtin")
        found = bindings([program], directory)
        out = {(b, s) for a, b, s in found if a == "libpprofc.so"
               and b == "names"}
        lib.expect(not out, f"ours bound into the host: {sorted(out)}")
        lib.expect(lib.profiles(directory, "cpu"), "no CPU profile")
        lib.expect(lib.profiles(directory, "heap"), "no heap profile")


@lib.case
def bindings_of_each_exported_name_reach_us():
    """References as a program makes them (versioned where libc has the name)
    are bound to the library. That calls get through is tested per hook."""
    names = sorted(listed_names())
    source = "".join(f"extern char {n}[] __attribute__((weak));\n"
                     for n in names)
    source += "char *volatile all[] = {" + ", ".join(names) + "};\n"
    with lib.Directory() as directory:
        library = compile_c(directory, "liball.so", source, "-shared", "-fPIC",
                            "-fno-builtin")
        program = compile_c(directory, "program",
                            "int main(void) { return 0; }\n",
                            "-Wl,--no-as-needed", str(library))
        found = bindings([program], directory)
    reached = {s for a, b, s in found
               if a == "liball.so" and b == "libpprofc.so"}
    missed = [n for n in names if n not in reached]
    lib.expect(not missed, f"not bound to us: {missed}")


def make(*arguments):
    lib.expect_equal(lib.BUILD.parent, lib.ROOT, "the build directory")
    done = subprocess.run(
        ["make", "-C", str(lib.ROOT), "--no-print-directory", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
        env={k: v for k, v in lib.environment(False).items()
             if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")})
    lib.expect(done.returncode == 0,
               f"make {' '.join(arguments)}: {done.stdout[-400:]}")
    return done.stdout


@lib.case
def install_puts_everything_under_destdir():
    with lib.Directory() as root:
        make("install", f"DESTDIR={root}", "PREFIX=/usr/local",
             f"B={lib.BUILD.name}")
        found = {str(f.relative_to(root)): f for f in root.rglob("*")
                 if f.is_file()}
        wanted = {
            "usr/local/lib/libpprofc.so", "usr/local/bin/pprofc",
            "usr/local/libexec/pprofc/pprofc-symbolize",
            "usr/local/include/pprofc.h",
            "usr/local/lib/pkgconfig/pprofc.pc",
            "usr/local/share/man/man1/pprofc.1",
            "usr/local/share/man/man7/pprofc.7"}
        lib.expect_equal(set(found), wanted, "installed")
        command = root / "usr/local/bin/pprofc"
        shown = subprocess.run([command, "--version"], check=True,
                               stdout=subprocess.PIPE, text=True).stdout
        env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=str(root),
                   PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1",
                   PKG_CONFIG_PATH=str(root / "usr/local/lib/pkgconfig"))
        flags, version = [subprocess.run(
            ["pkg-config", word, "pprofc"], check=True, text=True, env=env,
            stdout=subprocess.PIPE).stdout.split()
            for word in ("--cflags", "--modversion")]
        program = compile_c(
            root, "header",
            '#include <pprofc.h>\n#include <stdio.h>\n'
            'int main(void) { puts(PPROFC_VERSION); return 0; }\n',
            *flags)
        header = subprocess.run([program], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        lib.expect_equal([header.strip()], version, "version in pprofc.h")
        lib.expect(version[0] in shown, f"--version says {shown!r}")
        done = subprocess.run(
            [command, "run", "--", "/bin/sh", "-c", "exit 7"], check=False,
            cwd=root, stderr=subprocess.PIPE, env=lib.environment(False))
        lib.expect_equal(done.returncode, 7, "status of an installed run")


@lib.case
def tree_has_the_agreed_top_level():
    listed = subprocess.run(["git", "-C", str(lib.ROOT), "ls-files"],
                            stdout=subprocess.PIPE, text=True, check=False)
    if listed.returncode:
        lib.note("not a git checkout: skipped the list of tracked files")
        return
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    top = {name for name in top if not name.startswith(".")}
    lib.expect_equal(top, TOP_LEVEL, "top level")


@lib.case
def build_is_quiet_and_help_names_the_targets():
    shown = make("help")
    targets = set(re.findall(r"^  make (\S+)", shown, re.M))
    missing = {"all", "check", "check-long", "demo", "bench", "lint",
               "install", "clean", "help"} - targets
    lib.expect(not missing, f"make help does not show {sorted(missing)}")
    lib.expect_equal(make("all", f"B={lib.BUILD.name}").strip().replace(
        "make: Nothing to be done for 'all'.", ""), "", "a second make says")


@lib.case
def missing_packages_are_named_with_the_script():
    """With a dpkg-query that knows nothing, and no right to install."""
    with lib.Directory() as directory:
        fake = directory / "dpkg-query"
        fake.write_text("#!/bin/sh\nexit 1\n")
        fake.chmod(0o755)
        env = dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}")
        done = subprocess.run(
            [lib.ROOT / "scripts/install-deps", "--check", "build"], env=env,
            stderr=subprocess.PIPE, text=True, check=False)
    lib.expect_equal(done.returncode, 1, "status")
    for word in ("protobuf-c-compiler", "zlib1g-dev", "scripts/install-deps"):
        lib.expect(word in done.stderr, f"{word} is not in {done.stderr!r}")
    lib.expect("shellcheck" not in done.stderr, "names more than make needs")


@lib.case
def build_gives_the_same_bytes_in_another_directory():
    if not lib.LONG:
        lib.note("only with make check-long")
        return
    lib.expect("same bytes" in make("repro"), "make repro")


@lib.case
def version_is_the_same_everywhere():
    found = collections.Counter()
    for path, pattern in (("Makefile", r"^VERSION := (\S+)"),
                          ("preload/pprofc.h", r'PPROFC_VERSION "(\S+)"'),
                          ("core/base/pp.h", r'PPROFC_VERSION "(\S+)"')):
        text = (lib.ROOT / path).read_text()
        found[re.search(pattern, text, re.M)[1]] += 1
    lib.expect_equal(len(found), 1, f"number of versions in {dict(found)}")


if __name__ == "__main__":
    lib.main()
