"""command.py - the pprofc command as its tests run it.

Most preload a library that does nothing (libm), so that they test the command
and nothing else; those that need profiles say so with library=None.
"""

import re
import subprocess
import sys

import lib
from lib import expect

COMMAND = lib.BUILD / "pprofc"
PYTHON = sys.executable


def harmless_library():
    """The path of a library that may be preloaded into anything."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        found = re.search(r"(/\S*/libm\.so\.6)$", maps.read(), re.M)
    expect(found, "this Python has no libm.so.6 to preload")
    return found.group(1)


def make_environment(env, library):
    base = lib.environment(False, env)
    if library:
        base["PPROFC_LIBRARY"] = library
    return base


def pprofc(*args, env=None, cwd=None, library="", stdin=b"", command=COMMAND,
           **popen):
    """Run `pprofc ARGS` to its end."""
    with lib.Directory() as scratch:
        return subprocess.run(
            [str(command)] + [str(a) for a in args], input=stdin,
            capture_output=True, cwd=cwd or scratch, timeout=60, check=False,
            env=make_environment(env, harmless_library() if library == ""
                                 else library), **popen)


def text(data):
    return data.decode(errors="replace")
