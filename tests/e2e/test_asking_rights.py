#!/usr/bin/env python3
"""`pprofc threads` asked by root: with the rights of the process that is asked,
and where that sees its files. Needs root; skipped, and said so, without."""

import os
import re
import shutil
import subprocess

import lib
from lib import case, expect, expect_equal

THREADS = {"PPROFC_PROFILES": "heap,threads", "PPROFC_HEAP_RATE": "1"}
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


def is_root(test):
    if os.geteuid() != 0:
        lib.note(f"summary: skipped {test}: not root")
    return os.geteuid() == 0


def threads(pid):
    done = subprocess.run(
        [lib.BUILD / "pprofc", "threads", str(pid)], capture_output=True,
        env=lib.environment(False), stdin=subprocess.DEVNULL, timeout=60,
        check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def start(argv, directory, **popen):
    library = directory / "libpprofc.so"
    shutil.copy(lib.BUILD / "libpprofc.so", library)
    process = subprocess.Popen(
        [str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**lib.environment(False), **THREADS, "LD_PRELOAD": str(library),
             "PPROFC_OUTPUT": str(directory / "p") + "/"}, **popen)
    for line in iter(process.stdout.readline, b"ready\n"):
        expect(line, "it ended before it was ready")
    return process


def finish(process):
    process.communicate(timeout=20)
    expect_equal(process.returncode, 0, "status")


@case
def what_a_process_says_it_has_written_is_not_roots_to_remove():
    if not is_root("test of what root removes"):
        return
    with lib.Directory() as d:
        d.chmod(0o755)
        liar = lib.build(d, "e2e/liar.c", "liar", "-D_GNU_SOURCE", "-w",
                         f"-I{lib.ROOT}/core/base", f"-I{lib.ROOT}/core/store")
        precious = d / "precious"
        precious.write_text("root's alone\n")
        precious.chmod(0o600)
        process = start([liar, precious], d, **NOBODY)
        status, out, err = threads(process.pid)
        finish(process)
        expect_equal((status, out, err),
                     (1, "", f"pprofc: {precious}: Permission denied\n"),
                     "answer")
        expect(precious.exists(), "the file of root's is gone")


@case
def an_honest_process_of_another_user_answers():
    if not is_root("a process of another user, asked by root"):
        return
    with lib.Directory() as d:
        d.chmod(0o755)
        (d / "p").mkdir()
        os.chown(d / "p", 65534, 65534)
        hangs = shutil.copy(lib.target("hangs"), d)
        process = start([hangs, "quiet"], d, **NOBODY)
        status, out, err = threads(process.pid)
        left = os.listdir(d / "p")
        finish(process)
        expect_equal((status, err, left), (0, "", []), "answer")
        expect(re.search(r"^goroutine \d+ \[IO wait.*\]: \"hangs\"$", out,
                         re.M), f"threads: {out}")


@case
def a_process_with_other_mounts_answers():
    with lib.Directory() as d:
        (d / "p").mkdir()
        unshare = ["unshare", "-m", "sh", "-c"]
        mount = f"mount -t tmpfs none {d / 'p'}"
        if not is_root("other mounts") or subprocess.run(
                unshare + [mount], stderr=subprocess.DEVNULL,
                check=False).returncode:
            lib.note("summary: skipped other mounts: not allowed here")
            return
        process = start(
            unshare + [f"unset LD_PRELOAD; {mount} && LD_PRELOAD="
                       f"{d / 'libpprofc.so'} exec {lib.target('hangs')} "
                       "quiet"], d)
        status, out, err = threads(process.pid)
        left = [f for f in os.listdir(f"/proc/{process.pid}/root{d / 'p'}")
                if "goroutine" in f]
        finish(process)
        expect_equal((status, err, left), (0, "", []), "answer")
        expect("end_of_input(...)" in out, f"threads: {out}")


if __name__ == "__main__":
    lib.main()
