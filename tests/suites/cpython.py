#!/usr/bin/env python3
"""cpython.py MODULE... - CPython's own tests, one line a test: its result.

The interpreter's and the test runner's talk differs from run to run (times,
the order of threads' output); the results, which are compared, must not.
"""

import subprocess
import sys
import xml.etree.ElementTree as tree


def result(case):
    found = [child.tag for child in case]
    found = [t for t in found if t in ("failure", "error", "skipped")]
    return found[0] if found else case.get("result", "?")


def main():
    for module in sys.argv[1:]:
        with open("log." + module, "wb") as log:
            done = subprocess.run(
                [sys.executable, "-m", "test", "--junit-xml", "results.xml",
                 module], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                check=False)
        print(f"== {module}: status {done.returncode}")
        cases = tree.parse("results.xml").getroot().iter("testcase")
        for line in sorted(f"{c.get('name')}: {result(c)}" for c in cases):
            print(line)
        sys.stdout.flush()


main()
