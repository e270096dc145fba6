#!/usr/bin/env python3
"""Bad values of every variable: one line, by the first process only, and the
default instead. The program must not suffer."""
import os
import re
import subprocess

import lib
from lib import case, expect, expect_equal

LONG_PATH = "/" + "x" * 1100

BAD = {
    "PPROFC_OUTPUT": ["%q", "a%", "x.%k.%Z", LONG_PATH],
    "PPROFC_PROFILES": ["cup", "cpu,", "none,heap", "CPU", "cpu heap",
                        "mutexes"],
    "PPROFC_CPU_HZ": ["0", "-1", "10001", "1e2", "fast", "100hz", " 100",
                      "99999999999999999999"],
    "PPROFC_HEAP_RATE": ["-1", "2g", "1x", "k", "512kb", "0x100"],
    "PPROFC_SIGNAL": ["KILL", "STOP", "SIGSEGV", "9", "0", "64", "65", "USR3",
                      "RTMIN+99", "NONE"],
    "PPROFC_TOGGLE_SIGNAL": ["KILL", "BUS", "USR2", "12", "SIG"],
    "PPROFC_INTERVAL": ["-5", "0.5", "1s", "31536001"],
    "PPROFC_KEEP": ["all", "-1", "1000001"],
    "PPROFC_MAX_DEPTH": ["0", "1", "1025", "deep"],
    "PPROFC_MEMORY": ["0", "1k", "1023k", "65g", "1t", "much"],
    "PPROFC_SYMBOLS": ["line", "yes", "Names"],
    "PPROFC_SYMBOLS_TIMEOUT": ["-1", "1s", "3601"],
    "PPROFC_MUTEX_FRACTION": ["-1", "1/2", "all"],
    "PPROFC_BLOCK_RATE": ["-1", "10us", "0.5"],
    "PPROFC_BLOCK": ["lock", "mutex,", "none,mutex", "ALL"],
    "PPROFC_LOCK_EVENTS": ["0", "-1", "many"],
    "PPROFC_HEAP_LABELS": ["1", "true", "YES"],
    "PPROFC_TID": ["1", "true", "YES"],
    "PPROFC_FOLLOW": ["0", "never", "No"],
    "PPROFC_SESSION": ["/nowhere/at/all", "Auto", "/dev/null", LONG_PATH],
    "PPROFC_LOG": ["/tmp", "/tmp/x/", "/nowhere/at/all", LONG_PATH],
    "PPROFC_UNWINDER": ["fp", "gcc", "Own"],
}
NEVER_BAD = {"PPROFC_PROGRAM"}  # any text is a pattern

# Two programs one after the other, and one that is exec'd: three processes
# that inherit from the first.
PROGRAM = ["sh", "-c", "echo out; echo err >&2; env true; sh -c 'exec env' | "
           "grep -c '^PPROFC_COMPLAINED=1$'; exit 3"]


def table():
    text = subprocess.run([lib.BUILD / "pprofc", "--variables"], check=True,
                          capture_output=True, text=True).stdout
    return {row[0]: row for row in
            (line.split("\t") for line in text.splitlines())}


def complaints(result):
    """The lines of stderr that are not the program's own."""
    return [line for line in result.err.decode(errors="replace").splitlines()
            if line != "err"]


def check_value(row, value):
    name, _, _, default, accepted, _ = row
    with lib.Directory() as directory:
        done = lib.run(PROGRAM, directory, env={name: value})
    what = f"{name}={value[:30]}"
    lines = complaints(done)
    expect_equal(len(lines), 1, f"lines of {what} ({lines[:3]})")
    shown = value if len(value) <= 80 else value[:70]
    expect(lines[0].startswith(f"pprofc: {name}={shown}"), f"says {lines[0]}")
    expect("is not accepted" in lines[0] and f"give {accepted}" in lines[0]
           and lines[0].endswith(f"(using the default, {default})"),
           f"says {lines[0]}")
    expect_equal(done.out, b"out\n1\n", f"stdout with {what}")
    expect_equal(done.status, 3, f"status with {what}")


def add_case(name, row):
    def bad_values():
        for value in BAD[name]:
            check_value(row, value)
    bad_values.__name__ = f"bad_values_of_{name}"
    case(bad_values)


for variable, columns in table().items():
    if variable in BAD:
        add_case(variable, columns)


@case
def every_variable_is_covered():
    expect_equal(set(table()), set(BAD) | NEVER_BAD, "variables with cases")


@case
def good_values_say_nothing():
    with lib.Directory() as directory:
        done = lib.run(["sh", "-c", "echo x; env"], directory,
                       env={"PPROFC_CPU_HZ": "50", "PPROFC_KEEP": ""})
        expect_equal((done.err, done.status), (b"", 0), "stderr and status")
        expect(b"PPROFC_COMPLAINED" not in done.out, "marked without a reason")


@case
def two_bad_values_are_two_lines():
    with lib.Directory() as directory:
        done = lib.run(PROGRAM, directory, env={"PPROFC_KEEP": "x",
                                                "PPROFC_TID": "y"})
        lines = complaints(done)
        expect_equal(len(lines), 2, f"lines in {lines}")
        expect_equal(done.out, b"out\n1\n", "stdout")


@case
def long_and_odd_values_stay_one_line():
    with lib.Directory() as directory:
        for value in ("x" * 100000, "a\nb\rc\x1b[31m", "\xff\xfe", "%s%n%d"):
            done = lib.run(["true"], directory, env={"PPROFC_CPU_HZ": value})
            lines = complaints(done)
            expect_equal(len(lines), 1, f"lines with {value[:20]!r}")
            expect(len(lines[0]) < 520, f"{len(lines[0])} characters")
            expect(not re.search(r"[\x00-\x1f\x7f]", lines[0]),
                   f"control characters in {lines[0]!r}")


# --- the default really is used --------------------------------------------

PYTHON = os.path.realpath("/usr/bin/python3")
BURN = [PYTHON, "-I", "-c", "import time\nkept = []\n"
        "while time.process_time() < 0.5: kept.append(bytes(1000))"]


def raw_period(path):
    text = subprocess.run(["go", "tool", "pprof", "-raw", path], check=True,
                          capture_output=True, text=True).stdout
    return int(re.search(r"^Period: (\d+)", text, re.M).group(1))


@case
def defaults_take_the_place_of_bad_values():
    with lib.Directory() as directory:
        done = lib.run(BURN, directory, env={
            "PPROFC_PROFILES": "cup", "PPROFC_CPU_HZ": "fast",
            "PPROFC_HEAP_RATE": "often"})
        expect_equal(len(complaints(done)), 3, "lines")
        expect_equal(raw_period(lib.profile_of(done, "cpu")), 10000000,
                     "period of the CPU profile")
        expect_equal(raw_period(lib.profile_of(done, "heap")), 524288,
                     "period of the heap profile")


@case
def bad_output_means_default_name_in_the_working_directory():
    with lib.Directory() as directory:
        lib.run(BURN, directory, env={"PPROFC_OUTPUT": "%q"})
        names = sorted(p.name for p in (directory / "work").iterdir())
        name = os.path.basename(PYTHON)
        expect_equal([re.sub(r"\.\d+\.([^.]*)\.pb", r".PID.\1.pb", n)
                      for n in names],
                     [name + ".PID.cpu.pb.gz", name + ".PID.heap.pb.gz"],
                     "files in the working directory")


lib.main()
