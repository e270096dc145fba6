#!/usr/bin/env python3
"""Programs bound to older versions of glibc's functions get these.

tests/targets/old_versions.c asks for pthread_cond_wait, posix_spawn and others
at GLIBC_2.2.5, which do something else than today's.
"""

import lib
from lib import case, expect, expect_equal


def run(directory, preload=True, **env):
    script = directory / "script"
    script.write_text("exit 7\n")
    script.chmod(0o755)
    result = lib.run([lib.target("old_versions"), script], directory, preload,
                     env=env, timeout=30)
    expect_equal((result.status, result.err), (0, b""), "end")
    lines = result.out.decode().splitlines()
    expect_equal(lines[:2], ["script 7"] * 2, "spawned scripts")
    return result, dict(line.rsplit(" ", 1) for line in lines)


@case
def they_work_as_without_us():
    with lib.Directory() as d:
        run(d, preload=False)
        for kinds in ("none", "cpu,heap", "mutex,block"):
            run(d, PPROFC_PROFILES=kinds)
        run(d, PPROFC_FOLLOW="no", PPROFC_PROFILES="none")


@case
def old_waits_are_recorded():
    with lib.Directory() as d:
        result, said = run(d, PPROFC_PROFILES="block", PPROFC_BLOCK_RATE=1,
                           PPROFC_LOCK_EVENTS=10000000)
        profile = lib.Profile(lib.profile_of(result, "block"))
    own = int(said["block old_waiter"])
    got = profile.cum("delay")["old_waiter"]
    expect(abs(got - own) <= 0.05 * own,
           f"old_waiter waited {own} ns, the profile says {got}")
    expect_equal(profile.cum("contentions")["old_waiter"],
                 int(said["count old_waiter"]), "contentions")


if __name__ == "__main__":
    lib.main()
