#!/usr/bin/env python3
"""run.py [BUILD] [--update-readme] [--quick] - what profiling costs.

Every row of the table of bars in the design, measured here and now: paired
and interleaved runs, instruction counts by callgrind, and the peers beside
us. Prints a markdown table; with --update-readme puts it
between the bench markers of README.md. Timings never fail.
"""

import math
import os
import platform
import re
import statistics
import sys
import time

WORDS = [a for a in sys.argv[1:] if not a.startswith("--")]
if WORDS:
    os.environ["PPROFC_BUILD"] = WORDS[0]  # read when lib is imported

import measure  # noqa: E402
from measure import lib  # noqa: E402

import workloads  # noqa: E402

QUICK = "--quick" in sys.argv
ROUNDS = 2 if QUICK else 7
HEAP_PEERS = ["jemalloc", "jemalloc prof", "tcmalloc", "tcmalloc sampling"]
PROGRAMS = {"python json": workloads.python_json, "perl": workloads.perl,
            "sqlite": workloads.sqlite, "g++": workloads.gxx}
START = "<!-- bench -->"
# None: the interval lies on both sides of the bar. "-": there is no bar.
KEPT = {True: "yes", False: "**no**", None: "not resolved", "-": "-"}

rows = []


def row(what, none, ours, bar, kept, beside):
    rows.append((what, none, ours, bar, KEPT[kept], beside))
    print(f"# {what}: {ours} (none {none}; bar {bar}); {beside}", flush=True)


def ratio(r):
    return f"{r[0]:.3f}x ({r[1]:.3f}-{r[2]:.3f})"


def median_of(samples):
    """The geometric mean of the medians of several programs (or of one)."""
    return math.exp(statistics.mean(
        math.log(statistics.median(s)) for s in samples))


def beside(pairs, names):
    """`pairs`: {variant: [ratios of each program]}."""
    return ", ".join(f"{n} {ratio(measure.interval(pairs[n], median_of))}"
                     for n in names if n in pairs)


def fast(times):
    """The mean of the fastest quarter: whoever shares the machine makes a run
    slower, never faster."""
    return statistics.mean(sorted(times)[:max(len(times) // 4, 1)])


def fast_ratio(samples):
    """The geometric mean of those of several programs: `samples` are the times
    of the first with a library, without, of the second with it ..."""
    return math.exp(statistics.mean(
        math.log(fast(a) / fast(b))
        for a, b in zip(samples[::2], samples[1::2])))


def of_each(values):
    """One figure for each variant. The layout of a process, which is chosen at
    random, matters as much as what we add, so it takes many processes; the
    least of them is one that was lucky."""
    return {n: fast(v) for n, v in values.items()}


def nanoseconds(runner, mode, batches, n, *more):
    return lambda name: float(runner.run(
        name, [runner.tools / "pairs", mode, batches, n, *more])[0])


def pair(runner, mode, title, instruction_bar, over_forwarder, over_none,
         peers):
    """One hooked operation: instructions, then time."""
    counts = {n: runner.instructions(n, mode)
              for n in ("none", "forwarder", "pprofc")}
    row(f"{title}, instructions", f"{counts['none']:.1f}",
        f"{counts['pprofc']:.1f}", f"<= {instruction_bar}",
        counts["pprofc"] <= instruction_bar + 0.5,
        f"forwarder {counts['forwarder']:.1f}")
    values = runner.interleave(
        ["none", "forwarder", "pprofc"] + peers, 10 * ROUNDS,
        nanoseconds(runner, mode, 6, 200000))
    ns = of_each(values)
    a = ns["pprofc"] - ns["forwarder"]
    b = ns["pprofc"] - ns["none"]
    bars = [f"+{over_forwarder} ns over forwarder"]
    if over_none is not None:
        bars.append(f"+{over_none} ns over none")
    others = beside({n: [v] for n, v in runner.pairs(values).items()},
                    [p for p in peers if " " in p])
    row(f"{title}, ns", f"{ns['none']:.2f}",
        f"{ns['pprofc']:.2f} ({a:+.2f} over forwarder)",
        ", ".join(bars),
        a <= over_forwarder and (over_none is None or b <= over_none),
        f"forwarder {ns['forwarder']:.2f}"
        + ("; of their own base: " + others if others else ""))


def operation(runner, mode, title):
    """An operation without a bar: instructions and time."""
    counts = [runner.instructions(n, mode) for n in ("none", "pprofc")]
    row(f"{title}, instructions", f"{counts[0]:.1f}", f"{counts[1]:.1f}", "-",
        "-", "")
    ns = of_each(runner.interleave(["none", "pprofc"], 10 * ROUNDS,
                                   nanoseconds(runner, mode, 6, 200000)))
    row(f"{title}, ns", f"{ns['none']:.2f}",
        f"{ns['pprofc']:.2f} ({ns['pprofc'] - ns['none']:+.2f})",
        "-", "-", "")


def handoff(runner):
    values = runner.interleave(
        ["none", "pprofc locks", "pprofc all locks"], 4 * ROUNDS,
        nanoseconds(runner, "handoff", 10, 2000))
    pairs = runner.pairs(values)
    ns = of_each(values)
    ours = measure.interval([pairs["pprofc locks"]], median_of)
    row("contended mutex, given to the one thread that waits",
        f"{ns['none']:.0f} ns",
        f"{ns['pprofc locks'] - ns['none']:+.0f} ns, {ratio(ours)}",
        "-", "-",
        f"each stack walked {ns['pprofc all locks'] - ns['none']:+.0f}"
        " ns, " + ratio(measure.interval([pairs["pprofc all locks"]],
                                         median_of)))


def program_times(runner, scale, rounds, peers):
    """({variant: interval of its ratio}, words about each program)."""
    times = {n: [] for n in ["pprofc"] + peers}  # see fast_ratio
    parts = []
    for title, workload in PROGRAMS.items():
        argv, stdin = workload(scale)

        def once(name):
            return runner.run(name, argv, stdin)[2]
        if peers:
            values = runner.interleave(["none"] + peers, 2 * ROUNDS, once)
        for n in peers:
            times[n] += [values[n], values[runner.variants[n].base]]
        values = runner.interleave(["none", "pprofc"], rounds, once)
        times["pprofc"] += [values["pprofc"], values["none"]]
        parts.append(f"{title} {fast_ratio(times['pprofc'][-2:]):.3f}x")
    return ({n: measure.interval(t, fast_ratio) for n, t in times.items()},
            ", ".join(parts))


def kept(r, bar):
    """For KEPT: r is (estimate, low, high)."""
    if r[2] <= bar or r[1] > bar:
        return r[0] <= bar
    return None


def long_programs(runner):
    found, parts = program_times(runner, 4, 3 * ROUNDS, [])
    ours = found["pprofc"]
    row("real programs of 1 to 2 s, CPU time, geometric mean", "1",
        f"{ratio(ours)}: {parts}", "<= 1.01x", kept(ours, 1.01), "")


def short_programs(runner):
    found, parts = program_times(runner, 1, 6 * ROUNDS, runner.have(
        HEAP_PEERS + ["gperftools cpu"]))
    row("the same of 0.3 to 0.5 s, CPU time: start and end weigh more", "1",
        f"{ratio(found['pprofc'])}: {parts}", "-", "-",
        ", ".join(f"{n} {ratio(found[n])}" for n in (
            "jemalloc prof", "tcmalloc sampling", "gperftools cpu")
            if n in found))


def share_ratio(samples):
    """From [(samples of the library, all) of each run] of several programs,
    what the library makes them cost, geometric mean."""
    shares = [sum(ours for ours, _ in s) / sum(n for _, n in s)
              for s in samples]
    return math.exp(statistics.mean(-math.log(1 - s) for s in shares))


def program_shares(runner):
    """What the times cannot resolve on a noisy machine, where those of one
    program differ by a tenth: its moods are in both parts of a share. What is
    not in a share: libc's memcpy and the like when the library calls them, the
    loader, what the library evicts from the caches."""
    if not measure.perf_sees_kernel():
        print("# no share of programs: linux-perf is not there, or may not "
              "see the kernel", flush=True)
        return
    found = {}
    for title, workload in PROGRAMS.items():
        argv, stdin = workload(4)
        found[title] = runner.share("pprofc", argv, stdin,
                                    2 if QUICK else 40)
    ours = measure.interval(list(found.values()), share_ratio)
    row("the same, by the library's share of the CPU samples of perf", "1",
        "{:.4f}x ({:.4f}-{:.4f}): ".format(*ours)
        + ", ".join(f"{t} {share_ratio([s]):.4f}x"
                    for t, s in found.items()),
        "<= 1.01x", kept(ours, 1.01), "")


def program_instructions(runner):
    """Which are the same at each run. Valgrind's CPU clocks are not the
    kernel's, so the heap alone; what a CPU sample costs, one_sample() tells."""
    ratios = {}
    for title in ("python json", "perl", "sqlite"):
        argv, stdin = PROGRAMS[title]()
        none, ours = (runner.program_instructions(n, argv, stdin)
                      for n in ("none", "pprofc heap"))
        ratios[title] = ours / none
    mean = math.exp(statistics.mean(math.log(r) for r in ratios.values()))
    row("the same, instructions, heap alone", "1",
        f"{mean:.4f}x: " + ", ".join(f"{t} {r:.4f}x"
                                     for t, r in ratios.items()),
        "<= 1.01x", mean <= 1.01, "")


def one_sample(runner):
    values = runner.interleave(
        ["none", "pprofc R=4097", "jemalloc", "jemalloc prof all"], 2 * ROUNDS,
        # of such blocks all but 0.07 % are sampled
        nanoseconds(runner, "deep", 20, 2000, 30, 30000))
    ns = of_each(values)
    ours = ns["pprofc R=4097"] - ns["none"]
    peer = ""
    if "jemalloc prof all" in ns:
        peer = (f"jemalloc {ns['jemalloc prof all'] - ns['jemalloc']:.0f}"
                " ns")
    row("one captured sample, 30 frames, warm", f"{ns['none']:.0f} ns",
        f"{ours:+.0f} ns", "<= 1000 ns", ours <= 1000, peer)


def record_everything(runner):
    names = ["none", "pprofc R=1", "heaptrack", "jemalloc",
             "jemalloc prof all", "tcmalloc", "gperftools heap"]
    ns = of_each(runner.interleave(names, 3 * ROUNDS,
                                   nanoseconds(runner, "malloc", 3, 50000)))
    cost = {n: ns[n] - ns[runner.variants[n].base] for n in ns}
    ours = cost["pprofc R=1"]
    kept = (ours <= cost.get("heaptrack", math.inf) / 2 and
            ours <= cost.get("jemalloc prof all", math.inf) / 10)
    row("record everything (R=1), a pair", f"{ns['none']:.1f} ns",
        f"{ours:+.0f} ns", "half of heaptrack, a tenth of jemalloc", kept,
        ", ".join(f"{n} {cost[n]:+.0f} ns" for n in
                  ("heaptrack", "jemalloc prof all", "gperftools heap")
                  if n in cost))


def true_start(runner):
    peers = ["jemalloc prof", "heaptrack", "tcmalloc sampling",
             "gperftools cpu"]
    times = runner.alternate(["none", "forwarder", "pprofc"], 1500,
                             ["/bin/true"])
    (none, none_median), (ours, our_median) = times["none"], times["pprofc"]
    others = {"forwarder": times["forwarder"][0] - none}
    times = runner.alternate(["none"] + peers, 150, ["/bin/true"])
    others.update({n: times[n][0] - times["none"][0]
                   for n in times if n != "none"})
    row("/bin/true, start to exit", f"{none:.0f} us",
        f"{ours - none:+.0f} us (medians {our_median - none_median:+.0f})",
        "<= +100 us", ours - none <= 100,
        ", ".join(f"{n} {us:+.0f}" for n, us in others.items()))


def resident(runner):
    names = ["none", "pprofc", "jemalloc prof", "tcmalloc sampling",
             "heaptrack"]
    values = runner.interleave(names, 3, lambda n: int(
        runner.run(n, [runner.tools / "pairs", "idle"])[0].split()[-1]))
    kib = {n: statistics.median(v) for n, v in values.items()}
    ours = kib["pprofc"] - kib["none"]
    row("resident memory, idle small program", f"{kib['none']:.0f} KiB",
        f"{ours:+.0f} KiB", "<= +2048 KiB", ours <= 2048,
        ", ".join(f"{n} {kib[n] - kib['none']:+.0f}" for n in values
                  if n not in ("none", "pprofc")))


def cpu_total(name, runner, argv):
    """(profile's CPU seconds) / (getrusage's) of one run."""
    with lib.Directory() as d:
        result = lib.run(argv, d, preload=False,
                         env=runner.variables(name, d))
        found = list(d.glob("*.cpu*"))
        lib.expect(found, f"{name} wrote no CPU profile")
        total = lib.Profile(found[0]).total("cpu") / 1e9
        truth = re.search(rb"rusage (\d+)", result.out)
        return total / (int(truth[1]) / 1e9)


def totals(runner):
    argv = [lib.target("cpu_split"), 400, 10, 4]
    names = ["pprofc", "gperftools cpu"]
    values = runner.interleave(names, 1 if QUICK else 3,
                               lambda n: cpu_total(n, runner, argv))
    mean = {n: 100 * statistics.mean(v) for n, v in values.items()}
    row("CPU total of rusage, threads living 10 ms", "100 %",
        f"{mean['pprofc']:.1f} %", "98-102 %",
        abs(mean["pprofc"] - 100) <= 2,
        ", ".join(f"{n} {mean[n]:.1f} %" for n in mean if n != "pprofc"))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    glibc = " ".join(platform.libc_ver())
    return (f"{model[1] if model else platform.machine()}, {os.cpu_count()} "
            f"processors, Linux {platform.release()}, {glibc}, "
            f"{time.strftime('%Y-%m-%d')}")


def table():
    lines = [f"Measured on {machine()}. Times are means of the fastest "
             "quarter of many interleaved runs; ratios are medians of paired "
             "runs, those of programs compare the fastest quarters; shares "
             "are of samples that `perf record -e cpu-clock` takes 997 times "
             "a second, what part of them lies in the library or in the "
             "kernel on its behalf (what it costs in the loader, in libc's "
             "memcpy and by taking room in caches is in the times alone); in "
             "brackets the interval that holds the "
             "true one 19 times out of 20.", "",
             "| what | without | pprofc | bar | kept | beside |",
             "|---|---|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows])


def update_readme(text):
    path = lib.ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(START) + r".*?(<!-- /?bench -->)", re.S)
    if not pattern.search(old):
        sys.exit(f"{path} has no {START} markers")
    path.write_text(pattern.sub(
        lambda m: f"{START}\n{text}\n{m[1]}", old, count=1), encoding="utf-8")


def main():
    runner = measure.Runner(lib.BUILD)
    if "pprofc" not in runner.variants:
        sys.exit(f"{lib.LIBRARY} is missing: run make")
    began = time.monotonic()
    pair(runner, "malloc", "malloc+free of 48 bytes", 151, 0.5, 1.0,
         HEAP_PEERS)
    pair(runner, "lock", "uncontended lock+unlock", 69, 0.3, None, [])
    operation(runner, "rdlock", "uncontended rdlock+unlock")
    operation(runner, "wrlock", "uncontended wrlock+unlock")
    operation(runner, "signal", "condition signalled, nobody waits")
    handoff(runner)
    operation(runner, "label", "a label set")
    long_programs(runner)
    program_shares(runner)
    program_instructions(runner)
    short_programs(runner)
    one_sample(runner)
    record_everything(runner)
    true_start(runner)
    resident(runner)
    totals(runner)
    print(f"# {time.monotonic() - began:.0f} s")
    print(table())
    if "--update-readme" in sys.argv:
        update_readme(table())


if __name__ == "__main__":
    main()
