#!/usr/bin/env python3
"""test_symbolize_where.py - `pprofc symbolize` finds debug information wherever
it is, and takes none of another build."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

import chains
from lib import (Directory, Profile, case, command, end, environment, expect,
                 expect_equal, main, note, pprof, profile_of, profiles, run,
                 start, wait_for)
from symbolizing import (TARGETS, Built, compare, compiled, symbolize, tool,
                         with_lines)


@case
def debug_directories_give_the_same_lines():
    with Directory() as tmp:
        b = Built(tmp)
        debug = b.strip()
        flat = tmp / "flat"
        flat.mkdir()
        shutil.copy(debug, flat / "program.debug")
        b.expect_same("--debug-dir", flat)
        b.keep(debug, tmp / "store")
        b.expect_same("--debug-dir", tmp / "none", "--debug-dir",
                      tmp / "store")


@case
def debug_link_beside_the_program_is_followed():
    with Directory() as tmp:
        b = Built(tmp)
        debug = b.strip()
        tool("objcopy", f"--add-gnu-debuglink={debug}", b.program)
        b.expect_same()
        (tmp / ".debug").mkdir()
        shutil.move(debug, tmp / ".debug" / debug.name)
        b.expect_same()


@case
def sysroot_has_the_files_of_another_machine():
    with Directory() as tmp:
        b = Built(tmp)
        root = tmp / "root"
        there = root / str(b.program).lstrip("/")
        there.parent.mkdir(parents=True)
        shutil.move(b.program, there)
        frames, _ = b.again()
        expect(frames != b.frames, "lines without the file")
        frames, _ = b.again("--sysroot", root)
        expect(frames == b.frames, "lines differ")


@case
def debug_file_alone_is_enough():
    with Directory() as tmp:
        b = Built(tmp)
        b.keep(b.strip(), tmp / "store")
        b.program.unlink()
        b.expect_same("--debug-dir", tmp / "store")


@case
def compressed_sections_are_read():
    for kind in ("zlib-gnu", "zlib-gabi"):
        with Directory() as tmp:
            b = Built(tmp)
            tool("objcopy", f"--compress-debug-sections={kind}", b.program)
            b.expect_same()


@case
def split_dwarf_is_read():
    with Directory() as tmp:
        b = Built(tmp, "-gsplit-dwarf")
        expect(list(tmp.glob("*.dwo")), "no .dwo file")
        compare(Profile(tmp / "lines.pb.gz"), b.program, chains.llvm)
        expect(any(len(f) > 2 for f in b.frames.values()), "no inlines")


@case
def dwz_files_are_followed():
    with Directory() as tmp:
        b = Built(tmp)
        other = tmp / "other"
        shutil.copy(b.program, other)
        tool(command("dwz", "dwz"), "-m", tmp / "common.debug", "-M",
             tmp / "common.debug", b.program, other)
        expect((tmp / "common.debug").exists(), "dwz found nothing in common")
        b.expect_same()
        (tmp / "common.debug").unlink()
        _, said = b.again()
        expect("common.debug" in said, f"said {said!r}")


@case
def names_come_from_minidebuginfo():
    """A stripped program with .gnu_debugdata, of a profile without names."""
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g")
        mini = tmp / "mini"
        tool("objcopy", "-S", "--remove-section", ".comment",
             "--keep-symbol=outer", "--keep-symbol=compare", program, mini)
        tool(command("xz", "xz-utils"), mini)
        tool("objcopy", "--strip-all", program)
        tool("objcopy", "--add-section", f".gnu_debugdata={mini}.xz", program)
        result = run([program], tmp, env={"PPROFC_PROFILES": "cpu",
                                          "PPROFC_SYMBOLS": "none"})
        after = tmp / "after.pb.gz"
        symbolize("-o", after, profile_of(result, "cpu"))
        names = {f.name for l in Profile(after).locations.values()
                 for f in l.frames}
        expect("outer" in names, sorted(names))


@case
def other_builds_are_refused():
    with Directory() as tmp:
        b = Built(tmp)
        debug = b.strip()
        tool("g++", "-g", "-O1", "-o", b.program, TARGETS / "lines_cxx.cc")
        frames, said = b.again(status=1)
        expect("build id differs" in said, f"said {said!r}")
        expect(not any(f.line for l in frames.values() for f in l
                       if f.file.endswith(".cc")), "lines of another build")
        frames, said = b.again("--debug-dir", tmp, status=1)
        expect(debug.exists() and frames == b.frames,
               "its own debug file is no help")
        _, said = b.again("--quiet", status=1)
        expect_equal(said, "", "messages of --quiet")


@case
def lines_of_libc_come_from_its_debug_package():
    """qsort() of the C program, by Debian's libc6-dbg."""
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g")
        _, after = with_lines(program, tmp)
        places = {(f.name, os.path.basename(f.file)) for l in
                  Profile(after).locations.values() for f in l.frames
                  if "libc.so" in l.mapping.path and f.line}
        expect(("msort_with_tmp", "msort.c") in places
               or ("msort_with_tmp.part.0", "msort.c") in places,
               sorted(places))


@case
def files_newer_than_the_profile_are_no_proof():
    """Without a build id the time decides."""
    with Directory() as tmp:
        program = compiled(tmp, ("gcc", "gcc"), "lines.c", "-O2", "-g",
                           "-Wl,--build-id=none")
        before, after = with_lines(program, tmp)
        expect(any(f.line for l in Profile(after).locations.values()
                   for f in l.frames if f.file.endswith("lines.c")), "lines")
        os.utime(program)
        said = symbolize("-o", after, before, status=1)
        expect("changed since" in said, f"said {said!r}")


@case
def debug_link_without_build_id_is_checked_by_its_sum():
    with Directory() as tmp:
        b = Built(tmp, "-Wl,--build-id=none")
        stamp = b.program.stat().st_mtime
        debug = tmp / "program.debug"
        tool("objcopy", "--only-keep-debug", b.program, debug)
        tool("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}",
             b.program)
        os.utime(b.program, (stamp, stamp))
        b.expect_same()
        with open(debug, "ab") as f:
            f.write(b"x")
        frames, said = b.again(status=1)
        expect(frames != b.frames and "another build" in said, said)


# --- Debian's own packages ----------------------------------------------------

@case
def lines_of_the_interpreter_come_from_its_debug_package():
    """By Debian's libpython3.11-dbg."""
    python = "/usr/bin/python3.11"
    found = os.path.exists(python) and re.search(
        r"Build ID: (\w\w)(\w+)", tool("readelf", "-n", python).decode())
    if not found or not os.path.exists(
            f"/usr/lib/debug/.build-id/{found[1]}/{found[2]}.debug"):
        note("skipped: no Debian Python with libpython3.11-dbg")
        return
    with Directory() as tmp:
        result = run([python, "-c", "x = 0\nfor i in range(10**7): x += i * i"],
                     tmp, env={"PPROFC_PROFILES": "cpu"})
        after = tmp / "after.pb.gz"
        symbolize("-o", after, profile_of(result, "cpu"))
        places = {(f.name, os.path.basename(f.file)) for l in
                  Profile(after).locations.values() for f in l.frames
                  if f.line}
        expect(("_PyEval_EvalFrameDefault", "ceval.c") in places,
               sorted(places))
        out, _ = pprof("-list", "^_PyEval_EvalFrameDefault$", after)
        expect("Python/ceval.c" in out, out[:500])


# --- split units, servers, files that went away -------------------

@case
def without_its_split_units_a_program_still_has_lines():
    """As with a .dwp in their place: no inlined functions, no other lines."""
    with Directory() as tmp:
        b = Built(tmp, "-gsplit-dwarf")
        for f in tmp.glob("*.dwo"):
            f.unlink()
        frames, _ = b.again()
        expect(any(g.file.endswith("lines_cxx.cc") and g.line
                   for f in frames.values() for g in f), "no lines")
        expect(not any(len(f) > 1 for f in frames.values() if f and
                       f[0].file.endswith("lines_cxx.cc")), "inlines")
        wrong = [a for a, f in frames.items() if f and f[0].line
                 and f[0].line != b.frames[a][0].line]
        expect(not wrong, f"other lines at {wrong}")


@case
def debuginfod_is_asked_only_when_told_to():
    """A server on loopback that has the program's debug information."""
    with Directory() as tmp:
        b = Built(tmp)
        store = tmp / "store"
        store.mkdir()
        shutil.move(b.strip(), store / "program.debug")
        with server(tmp, store) as url:
            if not url:
                note("skipped: no debuginfod here")
                return
            env = {"DEBUGINFOD_URLS": url,
                   "DEBUGINFOD_CACHE_PATH": str(tmp / "client")}
            frames, _ = b.again(env=env)
            expect(frames != b.frames, "it was asked without --debuginfod")
            expect(not (tmp / "client").exists(), "something was fetched")
            frames, said = b.again("--debuginfod", env=env)
            expect(frames == b.frames, f"lines differ ({said})")
        frames, _ = b.again("--debuginfod", env={
            **env, "DEBUGINFOD_CACHE_PATH": str(tmp / "other")})
        expect(frames != b.frames, "lines from nowhere")


@contextlib.contextmanager
def server(tmp, store):
    """The URL of a debuginfod for the files of a directory, once it knows them;
    None if there is no such program."""
    if not shutil.which("debuginfod"):
        yield None
        return
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen(
        ["debuginfod", "-F", "-p", str(port), "-d", str(tmp / "db"),
         # What it has scanned is counted once a second.
         "-c", "1", "-g", "1", str(store)], env=environment(False, {
             "DEBUGINFOD_URLS": "", "HOME": str(tmp)}),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)

    def knows():
        expect(process.poll() is None, "debuginfod ended")
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/metrics", timeout=5) as got:
                text = got.read().decode()
        except OSError:
            return False
        return re.search(r'thread_work_total\{role="traverse"\} [1-9]',
                         text) and "thread_work_pending{role=\"scan\"} 0" \
            in text and 'groom{statistic="files scanned (#)"} 0' not in text

    try:
        wait_for(knows, "the server")
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


@case
def program_that_was_replaced_while_it_runs_is_read_where_it_still_is():
    """Deleted, then another one by that name: --pid opens what is mapped."""
    with Directory() as tmp:
        program = tmp / "session_host"
        tool("gcc", "-g", "-O1", "-pthread", "-I", TARGETS, "-o", program,
             TARGETS / "session_host.c")
        process = start([program, 1000, 0, 999, 100], tmp, env={
            "PPROFC_HEAP_RATE": 1, "PPROFC_SYMBOLS": "names",
            "PPROFC_PROFILES": "heap", "PPROFC_SIGNAL": "SIGUSR2"},
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            expect_equal(process.stdout.readline(), b"ready\n", "first line")
            process.send_signal(signal.SIGUSR2)
            wait_for(lambda: profiles(tmp, "heap"), "the profile")
            before = profiles(tmp, "heap")[0]
            after = tmp / "after.pb.gz"

            def has_lines(*options, status):
                symbolize("-o", after, *options, before, status=status)
                return any(f.line and f.file.endswith("session_host.c")
                           for l in Profile(after).locations.values()
                           for f in l.frames)

            expect(has_lines(status=0), "no lines of a file that is there")
            program.unlink()
            expect(not has_lines(status=0), "lines of no file")
            expect(has_lines(f"--pid={process.pid}", status=0), "deleted")
            shutil.copy("/bin/true", program)
            expect(not has_lines(status=1), "lines of another file")
            expect(has_lines(f"--pid={process.pid}", status=0), "replaced")
        finally:
            end(process)
            process.stdin.close()
            process.stdout.close()


main()
