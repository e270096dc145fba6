"""lib.py - what every end-to-end test shares: running, comparing, reading.

Programs run in a fresh directory, with and without the library. Profiles are
read through the real tools only: `go tool pprof` (-raw, -top, -traces,
-comments) and `protoc --decode` with proto/profile.proto.

A test file registers functions with @case and ends in main(). Each case
prints one line, `ok - NAME` or `not ok - NAME: reason`.
"""

import collections
import gzip
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / (os.environ.get("PPROFC_BUILD") or "build")
LIBRARY = BUILD / "libpprofc.so"
LONG = os.environ.get("PPROFC_TEST_LONG", "") not in ("", "0")


class Failure(Exception):
    """The reason printed behind `not ok`."""


def expect(condition, reason):
    if not condition:
        raise Failure(reason)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what} is {got!r}, expected {wanted!r}")


# --- cases ---------------------------------------------------------------

_cases = []


def case(function):
    _cases.append(function)
    return function


def main():
    """Run the cases whose name contains one of argv's words (none: all)."""
    words = sys.argv[1:]
    failed = 0
    for function in _cases:
        name = function.__name__
        if words and not any(word in name for word in words):
            continue
        try:
            function()
            print(f"ok - {name}", flush=True)
        except (Failure, OSError, subprocess.SubprocessError) as e:
            failed += 1
            reason = " | ".join(str(e).splitlines())
            print(f"not ok - {name}: {reason}", flush=True)
    sys.exit(1 if failed else 0)


def note(text):
    """A line for the reader of a log; no test result."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


# --- running -------------------------------------------------------------

class Directory:
    """A fresh directory, removed when the with block ends."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="pprofc-e2e."))
        return self.path

    def __exit__(self, *unused):
        shutil.rmtree(self.path, ignore_errors=True)


def environment(preload, variables=None, output=None):
    """The caller's environment without PPROFC_* and LD_PRELOAD, plus ours."""
    env = {
        k: v for k, v in os.environ.items()
        if not k.startswith("PPROFC_") and k != "LD_PRELOAD"
    }
    env["LC_ALL"] = "C"
    if preload:
        env["LD_PRELOAD"] = str(LIBRARY)
        env["PPROFC_OUTPUT"] = str(output) + "/"
    env.update({k: str(v) for k, v in (variables or {}).items()})
    return env


Result = collections.namedtuple(
    "Result", "status out err profiles cpu_s wall_s directory")


def start(argv, directory, preload=True, env=None, **popen):
    """Start a program in directory; its profiles go to directory/profiles."""
    directory = pathlib.Path(directory)
    work = directory / "work"
    output = directory / "profiles"
    work.mkdir(exist_ok=True)
    output.mkdir(exist_ok=True)
    popen.setdefault("stdin", subprocess.DEVNULL)
    popen.setdefault("cwd", work)
    return subprocess.Popen(
        [str(a) for a in argv], env=environment(preload, env, output),
        start_new_session=True, **popen)


def end(process):
    """End a process we started, and what it started (its own session)."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(argv, directory, preload=True, env=None, stdin=b"", timeout=120):
    """Run to the end. Returns a Result; a timeout is a Failure."""
    directory = pathlib.Path(directory)
    before = os.times()
    began = time.monotonic()
    process = start(argv, directory, preload, env, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        raise Failure(f"{argv[0]} did not end in {timeout} s") from None
    finally:
        end(process)
    after = os.times()
    cpu_s = (after.children_user - before.children_user
             + after.children_system - before.children_system)
    return Result(process.returncode, out, err, profiles(directory), cpu_s,
                  time.monotonic() - began, directory)


def profiles(directory, kind=None):
    """The finished profile files, sorted by name."""
    found = sorted((pathlib.Path(directory) / "profiles").glob("*.pb.gz"))
    if kind:
        found = [f for f in found if f".{kind}." in f.name]
    return found


def profile_of(result, kind, program=None):
    """The one exit profile of a kind (of a program, if several ran)."""
    found = profiles(result.directory, kind)
    if program:
        found = [f for f in found if f.name.startswith(program + ".")]
    expect(len(found) == 1,
           f"{len(found)} {kind} profiles of {program or 'the program'}, "
           f"expected 1, in {[f.name for f in result.profiles]}; stderr: "
           f"{result.err[-300:].decode(errors='replace')}")
    return found[0]


def masked(text, masks):
    """Bytes with every match of each (pattern, replacement) replaced."""
    for pattern, replacement in masks:
        text = re.sub(pattern, replacement, text)
    return text


def expect_same(plain, preloaded, masks=()):
    """stdout, stderr and status agree byte by byte but for masked fields."""
    expect_equal(preloaded.status, plain.status, "status with the library")
    for name in ("out", "err"):
        a = masked(getattr(plain, name), masks)
        b = masked(getattr(preloaded, name), masks)
        if a != b:
            raise Failure(f"std{name}: {first_difference(a, b)}")


def first_difference(a, b):
    lines = max(a.count(b"\n"), b.count(b"\n")) + 1
    for i, (x, y) in enumerate(zip(a.split(b"\n") + [b""] * lines,
                                   b.split(b"\n") + [b""] * lines)):
        if x != y:
            return f"line {i + 1} is {y[:200]!r}, without {x[:200]!r}"
    return "differs"


def command(name, package):
    """The path of a program this test cannot do without."""
    path = shutil.which(name)
    expect(path, f"{name} is missing: apt-get install {package}")
    return path


# --- targets -------------------------------------------------------------

def target(name):
    """A test program built by make from tests/targets."""
    path = BUILD / "targets" / name
    expect(path.exists(), f"{path} is missing: run make")
    return path


def build(directory, source, name, *flags):
    """Compile one source of tests/ into directory; returns the result."""
    source = ROOT / "tests" / source
    compiler = "g++" if source.suffix == ".cc" else "gcc"
    result = pathlib.Path(directory) / name
    subprocess.run(
        [compiler, "-O2", "-g", "-o", str(result), str(source), *flags],
        check=True, stdin=subprocess.DEVNULL, env=environment(False))
    return result


# --- reading profiles ----------------------------------------------------

def pprof(*arguments, check=True):
    """`go tool pprof ARGUMENTS`: (stdout, stderr) as text."""
    with Directory() as tmp:
        env = environment(False, {"PPROF_TMPDIR": tmp, "HOME": tmp})
        done = subprocess.run(
            ["go", "tool", "pprof", *[str(a) for a in arguments]], env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=120, check=False)
    out, err = (s.decode(errors="replace") for s in (done.stdout, done.stderr))
    if check and done.returncode:
        raise Failure(f"go tool pprof {arguments}: {err[-300:]}")
    return out, err


Frame = collections.namedtuple("Frame", "name system_name file line")
Location = collections.namedtuple("Location", "id address mapping frames")
Mapping = collections.namedtuple("Mapping",
                                 "id start limit offset path build_id flags")
Sample = collections.namedtuple("Sample", "values stack labels")

_FRAME = re.compile(r"^(.*) (\S*):(-?\d+) s=-?\d+(?:\((.*)\))?$")
_LOCATION = re.compile(r"^ *(\d+): (0x[0-9a-f]+) (?:M=(\d+) )?(?:\[F\] )?(.*)$")
_MAPPING = re.compile(r"^(\d+): (0x[0-9a-f]+)/(0x[0-9a-f]+)/(0x[0-9a-f]+) "
                      r"(.*) ([0-9a-f]*) ((?:\[..\])*)$")
_LABEL = re.compile(r"(\S+?):\[(.*?)\](?= \S+:\[|$)")


class Profile:
    """One file as `go tool pprof -raw` shows it."""

    def __init__(self, path):
        self.path = path
        self.text, self.diagnostics = pprof("-symbolize=none", "-raw", path)
        head, rest = self.text.split("\nSamples:\n", 1) \
            if "\nSamples:\n" in self.text else ("", self.text)
        samples, rest = rest.split("\nLocations\n", 1)
        locations, mappings = ("\n" + rest).split("\nMappings\n", 1)
        self.comments, self.fields = self._head(head)
        self.mappings = {m.id: m for m in map(self._mapping,
                                              mappings.splitlines())}
        self.locations = self._locations(locations)
        self.types, self.samples = self._samples(samples.splitlines())

    @staticmethod
    def _head(text):
        comments, fields = [], {}
        for line in text.splitlines():
            key, _, value = line.partition(": ")
            if key in ("PeriodType", "Period", "Time", "Duration"):
                fields[key] = value
            else:
                comments.append(line.removeprefix("Comment: "))
        return comments, fields

    @staticmethod
    def _mapping(line):
        m = _MAPPING.match(line)
        expect(m, f"mapping {line!r} has another form")
        start, limit, offset = (int(m[i], 16) for i in (2, 3, 4))
        return Mapping(int(m[1]), start, limit, offset, m[5], m[6], m[7])

    def _locations(self, text):
        found = {}
        for line in text.splitlines():
            m = _LOCATION.match(line)
            if m:
                last = Location(int(m[1]), int(m[2], 16),
                                self.mappings.get(int(m[3] or 0)), [])
                found[last.id] = last
                line = m[4]
            f = _FRAME.match(line.strip())
            if f:
                last.frames.append(Frame(f[1], f[4] or f[1], f[2], int(f[3])))
        return found

    def _samples(self, lines):
        types = [t.removesuffix("[dflt]").split("/")
                 for t in (lines[0].split(" ") if lines else [])]
        samples = []
        for line in lines[1:]:
            values, colon, stack = line.partition(":")
            if colon and re.fullmatch(r"[ 0-9-]+", values):
                samples.append(Sample(
                    [int(v) for v in values.split()],
                    [self.locations[int(i)] for i in stack.split()], {}))
            else:
                samples[-1].labels.update(_LABEL.findall(line.strip()))
        return types, samples

    def column(self, name):
        names = [t[0] for t in self.types]
        expect(name in names, f"{self.path.name} has columns {names}, "
                              f"not {name}")
        return names.index(name)

    def total(self, column):
        i = self.column(column)
        return sum(s.values[i] for s in self.samples)

    def flat(self, column):
        """Counter of leaf names."""
        return self._count(column, lambda s: {name_of(s.stack[0])})

    def cum(self, column):
        """Counter of every name in a stack, once a stack."""
        return self._count(column, lambda s: {
            f.name for l in s.stack for f in l.frames})

    def roots(self, column):
        """Counter of the outermost locations."""
        i = self.column(column)
        count = collections.Counter()
        for s in self.samples:
            count[s.stack[-1].id if s.stack else 0] += s.values[i]
        return count

    def _count(self, column, names):
        i = self.column(column)
        count = collections.Counter()
        for s in self.samples:
            for name in names(s) if s.stack else ():
                count[name] += s.values[i]
        return count

    def statistics(self):
        """{name: number} of the comments that say `name: number`."""
        found = {}
        for line in self.comments:
            m = re.match(r"^(?:pprofc: )?(.*?)[:=] *(\d+)\b", line)
            if m:
                found[m[1]] = int(m[2])
        return found


def name_of(location):
    """The name of the innermost frame, or `[basename]` as the tool prints."""
    if location.frames:
        return location.frames[0].name
    path = location.mapping.path if location.mapping else ""
    return f"[{os.path.basename(path)}]"


Row = collections.namedtuple("Row", "flat_percent cum_percent")


def top(path, *arguments):
    """Rows of `-top` by name; shares in percent."""
    out, _ = pprof("-symbolize=none", "-top", "-cum", "-nodecount=1000000",
                   "-trim=false", *arguments, path)
    rows = {}
    for line in out.splitlines():
        m = re.match(r"^ *\S+ +(-?[0-9.]+)% +[0-9.]+% +\S+ +(-?[0-9.]+)%  (.*)$",
                     line)
        if m:
            rows[m[3].removesuffix(" (inline)")] = Row(float(m[1]), float(m[2]))
    return rows


def expect_hot(path, name, percent, *arguments):
    """`-top -cum` shows a name with at least a share; returns the share."""
    rows = top(path, *arguments)
    share = rows[name].cum_percent if name in rows else 0.0
    if share < percent:
        first = ", ".join(f"{n} {r.cum_percent}%"
                          for n, r in list(rows.items())[:8])
        raise Failure(f"{name} has {share} % of {path.name}, expected >= "
                      f"{percent} %; top: {first}")
    return share


def traces(path):
    out, _ = pprof("-symbolize=none", "-traces", path)
    return out


def decode(path):
    """The file as text, by protoc and our own profile.proto."""
    proto = ROOT / "proto" / "profile.proto"
    package = re.search(r"^package +([\w.]+);", proto.read_text(), re.M)
    message = f"{package[1]}.Profile" if package else "Profile"
    done = subprocess.run(
        ["protoc", f"--decode={message}", f"--proto_path={proto.parent}",
         proto.name], input=gzip.decompress(path.read_bytes()),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    expect(done.returncode == 0, f"protoc --decode: {done.stderr[-300:]}")
    return done.stdout.decode(errors="replace")


# --- waiting -------------------------------------------------------------

def wait_for(condition, what, seconds=20.0):
    """Poll until condition() is true; a Failure after the time given."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < deadline, f"no {what} after {seconds} s")
        time.sleep(0.002)


def threads_of(pid):
    return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))
