"""reading.py - profiles as the real tools show them, and nothing else.

`go tool pprof` (-raw, -top, -traces) and `protoc --decode` with our own
proto/profile.proto. The tool's diagnostics do not change its exit status, so
reports are checked by their text.
"""

import collections
import gzip
import os
import re
import subprocess

from harness import ROOT, Directory, Failure, environment, expect


def pprof(*arguments, check=True, timeout=120):
    """`go tool pprof ARGUMENTS`: (stdout, stderr) as text."""
    with Directory() as tmp:
        env = environment(False, {"PPROF_TMPDIR": tmp, "HOME": tmp})
        done = subprocess.run(
            ["go", "tool", "pprof", *[str(a) for a in arguments]], env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=timeout, check=False)
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
