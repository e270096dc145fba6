"""rows.py - the table of hostile programs: one row a case.

What is expected of the program itself is in the program (hostile.h), and in
`status` and `out`; what is expected of us is in the rest.
"""

import collections
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))

import lib  # noqa: E402

HELD = 1000000
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# What the profiles of the program itself must hold.
FULL = "what hold() and burn() leave"
SEEN = "the same, and burn() was sampled itself"
CPU = "what burn() leaves"
HEAP = "what hold() leaves"
VALID = "anything that is complete"
NOTHING = "no file"

# profile   see above
# processes {program: how many of its processes left profiles}, and no others;
#           {program, ...} where a forked child may have some before its exec
# dumps     how many heap profiles were asked for by the signal: no more
# holds     {function: bytes in use at the end, every allocation recorded}
# burns     functions that CPU time must be seen in
# before, behind   other preloads
# then      arguments of a second run, without us, that looks at the result
# program   that the program becomes, where it executes another
# needs     a program that may not be there
# leaves    what cannot be cleaned up may be left in /dev/shm
Row = collections.namedtuple(
    "Row", "name argv status profile env before behind out root leaves then "
    "processes dumps holds burns needs program",
    defaults=(0, FULL, {}, "", "", b"fine\n", False, False, None, None, None,
              {"hold": HELD}, ("burn",), None, None))


def hostile(name):
    return str(lib.BUILD / "hostile" / name)


def packaged(name):
    """A library of a package that may not be there."""
    found = list(pathlib.Path("/usr/lib").glob(f"*/{name}"))
    return str(found[0]) if found else None


def ways(program, names, prefix="", **more):
    return [Row(f"{prefix or program}_{n}", [program, n], **more)
            for n in names.split()]


def alone(program):
    return {program: 1}


# --- signals ------------------------------------------------------------------

# Those whose default action we keep until the profile is written.
REPORTED = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 24, 25, 26, 31)
# By these nobody means to end in an orderly way, or can: nothing is written.
UNREPORTED = (9, 16, 27, 29, 30, 34, 40, 60)

SIGNALS = [
    *ways("masks", "sigprocmask pthread_sigmask handler attributes sigsuspend "
          "ppoll pselect epoll_pwait epoll_pwait2 sigwait sigwaitinfo "
          "sigtimedwait signalfd sigpending", profile=SEEN,
          processes=alone("masks"), dumps=0),
    *ways("masks", "spawn", profile=SEEN, processes={"masks": 2}, dumps=0),
    *ways("dispositions", "sigaction signal bsd_signal sysv_signal sigset "
          "siginterrupt", status=-15, out=b"", dumps=0,
          processes=alone("dispositions")),
    *ways("dispositions", "uses_sigaction uses_signal uses_sigset "
          "uses_sigwait uses_sigtimedwait uses_signalfd ignored", dumps=0,
          processes=alone("dispositions")),
    *ways("profilers", "itimer thread_timers sent"),
    Row("profilers_unhandled", ["profilers", "unhandled"], status=-27, out=b"",
        profile=NOTHING, leaves=True),
    Row("gprof", ["gprof"], then=["gprof", "checked"]),
    *ways("jumps", "by_siglongjmp by_longjmp by__longjmp from_alternate_stack "
          "late_from_alternate_stack from_nested_handlers out_of_anything "
          "coroutines"),
    *ways("stacks", "small_threads signal_storm stack_overflow "
          "queued_values first_in_handler"),
]

# --- endings ------------------------------------------------------------------

ENDINGS = [
    *[Row(f"ends_raise_{s}", ["ends", "raise", str(s)], status=-s, out=b"",
          processes=alone("ends")) for s in REPORTED],
    *[Row(f"ends_raise_{s}", ["ends", "raise", str(s)], status=-s, out=b"",
          profile=NOTHING, leaves=True) for s in UNREPORTED],
    Row("ends_raise_12", ["ends", "raise", "12"], status=-12, out=b"",
        env={"PPROFC_SIGNAL": "none"}, processes=alone("ends")),
    *[Row(f"ends_fault_{s}", ["ends", "fault", str(s)], status=-s, out=b"",
          processes=alone("ends")) for s in (4, 6, 7, 8, 11)],
    *[Row(f"ends_earn_{s}", ["ends", "earn", str(s)], status=-s, out=b"",
          processes=alone("ends")) for s in (13, 14, 24, 26)],
    # We cannot write a file there, either.
    Row("ends_earn_25", ["ends", "earn", "25"], status=-25, out=b"",
        profile=NOTHING),
    *ways("ends", "siblings handled stopped cpu_and_more"),
    *ways("ends", "cpu_until_killed", status=-9, out=b"told\n",
          profile=NOTHING, leaves=True),
    *ways("ends", "cpu_at_once", status=-9, out=b"", profile=NOTHING,
          leaves=True),
    *ways("ends", "dumps_core", out=None),
    Row("ends_return", ["ends", "return", "9"], status=9, out=b"",
        processes=alone("ends")),
    *ways("ends", "by_exit by__exit by__Exit by_thread", status=9, out=b"",
          processes=alone("ends")),
    *ways("places", "exit_elsewhere quickly main_leaves others_run_on"),
    *ways("images", "by_main by_thread"),
    # Nobody can clean up: the samples stay in /dev/shm.
    *ways("images", "by_system_call", profile=NOTHING, leaves=True),
    Row("images_chain", ["images", "chain", "20"]),
]

# --- processes ----------------------------------------------------------------


def followed(follow, program, processes):
    """Each way to start another program, under these settings."""
    env = {"PPROFC_FOLLOW": follow, "PPROFC_PROGRAM": program,
           "PPROFC_HEAP_RATE": 1}
    ours = FULL if processes.get("processes") else NOTHING
    name = f"follow_{follow}_{program.replace('*', 'all')}"
    rows = ways("processes", "starts_by_system starts_by_popen "
                "starts_by_spawn starts_by_vfork", prefix=name,
                profile=ours, env=env, processes=processes)
    rows += ways("processes", "starts_by_fork", prefix=name, profile=ours,
                 env=env, processes=set(processes))
    # exec: its process id is that of the program before.
    return rows + [Row(f"{name}_becomes", ["processes", "becomes"], status=3,
                       profile=ours, env=env, processes=processes)]


PROCESSES = [
    *ways("children", "raw_clone small_fork vfork_signal vfork_many spawned "
          "shells daemonize double_fork one_after_another child_signals "
          "ignored_children"),
    *ways("processes", "forks_in_the_middle forking_threads"),
    *ways("processes", "cloned_and_awaited cloned_beside",
          processes=alone("processes")),
    *ways("standing", "traced traced_to_death", processes={"standing": 2}),
    *ways("standing", "fixed_addresses", processes=alone("standing")),
    *ways("standing", "first_process first_with_proc", profile=VALID,
          root=True),
    *ways("standing", "set_user_id", root=True),
    *followed("yes", "worker", {"worker": 1}),
    *followed("yes", "proc*", {"processes": 1}),
    *followed("no", "*", {"processes": 1}),
]

# Source lines, whatever the setting of the row is.
LINES = {"PPROFC_SYMBOLS": "lines"}
ORPHANS = [
    *ways("orphans", "waits subreaper pipe_ends group usage no_execution "
          "no_process", env=LINES, processes=alone("orphans")),
    *ways("orphans", "other_user", env=LINES, root=True,
          processes=alone("orphans")),
    # A tick may find the child that it makes.
    *ways("orphans", "next_namespace", env=LINES, root=True,
          processes={"orphans"}),
    *ways("orphans", "first_process", env=LINES, root=True, profile=VALID,
          out=b"fine\nfine\n", processes={"orphans": 2}),
    # The directory of the profiles is not there, or root's. A session from
    # before can no longer be reached in another root.
    *ways("orphans", "other_root", env=LINES, root=True, profile=NOTHING,
          leaves=True),
    *ways("orphans", "no_room", env=LINES, root=True, profile=NOTHING),
]

# --- descriptors and confinement ----------------------------------------------

CONFINED = [
    *ways("descriptors", "count"),
    *ways("descriptors", "close_everything", out=b""),
    Row("descriptors_reuse", ["descriptors", "reuse"],
        then=["descriptors", "reopened"]),
    Row("descriptors_standard_ones_closed",
        ["descriptors", "standard_ones_closed"], out=b"",
        then=["descriptors", "standard_ones_checked"]),
    *ways("descriptors", "three_files", profile=NOTHING),
    *[Row(f"files_{n}", ["files", n], then=["files", "checked"],
          env={"PPROFC_INTERVAL": 1}, profile=p, root=p == NOTHING)
      for n, p in (("while_dumping", FULL), ("few_descriptors", FULL),
                   ("small_files", VALID), ("on_full_disk", NOTHING),
                   ("on_read_only_disk", NOTHING))],
    *ways("confined", "address_space no_pending_signals no_stack_growth "
          "removed_directory"),
    *ways("confined", "no_address_space", profile=NOTHING),
    *ways("confined", "file_size", profile=NOTHING),
    *ways("confined", "no_permissions user_namespace other_namespaces",
          root=True),
    *ways("confined", "empty_dev", root=True, leaves=True),
    *ways("confined", "without_proc", root=True, profile=VALID),
    # The directory of the profiles is root's.
    *ways("confined", "no_new_process", root=True, profile=NOTHING),
    *ways("confined", "other_user", root=True, profile=NOTHING),
    *ways("confined", "confined_root", root=True, profile=NOTHING,
          leaves=True),
    # They look for themselves at what is where they have mounted something.
    *ways("disks", "full_disk no_inodes full_for_a_while "
          "read_only_file_system", profile=NOTHING, root=True),
    # A session from before the mount can no longer be reached.
    *ways("disks", "full_everywhere read_only_everything", profile=NOTHING,
          root=True, leaves=True),
    *ways("disks", "full_shared_memory", root=True, leaves=True),
    *ways("disks", "locked_memory", root=True),
    *ways("disks", "quota", profile=NOTHING, root=True, needs="mkfs.btrfs"),
    *ways("disks", "quota_of_sessions quota_reached_later", root=True,
          needs="mkfs.btrfs", env={"PPROFC_SESSION": "/var/tmp"}),
    *ways("disks", "read_only_directory forbidden_directory", profile=NOTHING,
          root=True),
    *ways("disks", "removed_output", root=True),
    *ways("disks", "little_locked_memory", profile=NOTHING, root=True),
    *ways("disks", "no_directory", profile=VALID, root=True),
    *ways("sandbox", "strict kills faults all_threads traps_only_its_own "
          "tried_in_vain"),
    *ways("sandbox", "strict_itself kills_itself", status=5,
          processes=alone("sandbox")),
    *ways("sandbox", "refuses_files refuses_memory", profile=NOTHING,
          leaves=True),
    *[Row(f"inherited_{way}", ["confiner", way], program="inherits",
          profile=profile, processes=processes)
      for ways_, profile, processes in (
          ("logged foreign_kill foreign_trap foreign_refused timers_refused "
           "helpers_refused", FULL, None),
          ("timers_kill timers_trap helpers_kill files_kill files_trap",
           NOTHING, {}))
      for way in ways_.split()],
    *ways("sandbox", "goes_on refuses_timers refuses_ends "
          "refused_from_the_start allows_everything"),
]

# --- the loader, and whom we may meet -----------------------------------------

LOADER = [
    *ways("loader", "deepbind come_and_go errors new_namespace"),
    *ways("plugins", "runpath thread_storage"),
    Row("plugins_reused_address", ["plugins", "reused_address"],
        burns=("burn", "a_burns", "b_burns"),
        holds={"hold": HELD, "a_holds": 20000, "b_holds": 60000}),
    # One thread closes, alone: it may guess, too (code_gate.h).
    Row("plugins_guesses", ["plugins", "guesses"],
        env={"PPROFC_HEAP_RATE": 1},
        holds={"hold": HELD, "holds_open": 4000, "calls_plugin": 4000,
               "holds_closing": 5000, "closes_plugin": 5000}),
    Row("bind_now", ["loader", "come_and_go"], env={"LD_BIND_NOW": 1}),
    Row("audit", ["loader", "come_and_go"],
        env={"LD_AUDIT": hostile("libaudit.so")}),
    Row("audit_of_children", ["children", "shells"],
        env={"LD_AUDIT": hostile("libaudit.so")}),
    Row("constructed_before_us", ["places", "others_run_on"],
        behind=hostile("liblast.so")),
    Row("constructed_after_us", ["places", "others_run_on"],
        before=hostile("liblast.so")),
    Row("own_names", ["own_names"]),
    *ways("taken_over", "dispatch"),
    Row("own_malloc", ["own_malloc"], profile=CPU),
    Row("static", ["static"], profile=NOTHING, processes={}),
    Row("static_pie", ["static_pie"], profile=NOTHING, processes={}),
    # gcc's runtime wants to be first in the list, whoever else is in it.
    Row("asan", ["asan"], profile=CPU,
        env={"ASAN_OPTIONS": "verify_asan_link_order=0"}),
    Row("tsan", ["tsan"], profile=VALID),
    Row("ubsan", ["ubsan"], profile=CPU),
    *[Row(f"{short}_{where}_{program}", [program, way],
          profile=profile, **{where: packaged(file)})
      for short, file in (("jemalloc", "libjemalloc.so.2"),
                          ("tcmalloc", "libtcmalloc_minimal.so.4"),
                          ("mimalloc", "libmimalloc.so.2"),
                          ("eatmydata", "libeatmydata.so"))
      for program, way in (("places", "exit_elsewhere"),
                           ("processes", "forks_in_the_middle"),
                           ("plugins", "thread_storage"))
      for where, profile in (
          ("behind", FULL), ("before", FULL if short == "eatmydata" else CPU))],
]

# --- locks we may meet, and kinds that are off --------------------------------

PLACES = [
    *ways("places", "tls_destructors atfork_handlers once_only loader_lock "
          "stream_lock"),
    Row("static_init", ["static_init"]),
    *ways("cancel", "deferred asynchronous in_waits makers"),
]

KINDS = [
    Row(f"kinds_{kind}", ["kinds", kind], profile=VALID,
        env={"PPROFC_PROFILES": kind, "PPROFC_HEAP_RATE": 1},
        processes={} if kind == "none" else alone("kinds"))
    for kind in ("none", "cpu", "heap", "allocs", "heap_peak")]

ROWS = (SIGNALS + ENDINGS + PROCESSES + ORPHANS + CONFINED + LOADER + PLACES
        + KINDS)


def missing(row):
    """Why a row cannot be run here."""
    if row.root and os.geteuid() != 0:
        return "needs root"
    if row.needs and not shutil.which(row.needs, path=SYSTEM_PATH):
        return f"needs {row.needs}"
    if row.before is None or row.behind is None:
        return "the other library is not installed"
    return None
