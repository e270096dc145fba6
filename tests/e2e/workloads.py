"""workloads.py - real programs at work, for the tests and for the bench.

Each function returns (argv, stdin). Their output does not change from run to
run. `scale` 1 is a good half second of CPU time.
"""

import textwrap

import lib

PYTHON = "/usr/bin/python3.11"


def python_loop(scale=1.0):
    script = f"""
        def collatz(n):
            steps = 0
            while n != 1:
                n = n // 2 if n % 2 == 0 else 3 * n + 1
                steps += 1
            return steps
        print(max((collatz(n), n) for n in range(1, {int(75000 * scale)})))
    """
    return [PYTHON, "-c", textwrap.dedent(script)], b""


def python_json(scale=1.0):
    script = f"""
        import json, sys
        rows = [{{"id": i, "name": "row %d" % i, "values": [i * 0.5] * 20,
                  "nested": {{"a": [None, True, "\\u00e9"]}}}}
                for i in range(2000)]
        for _ in range({int(36 * scale)}):
            text = json.dumps(rows)
            assert json.loads(text) == rows
        print(len(text), text[:200])
        print("warning", file=sys.stderr)
        sys.exit(7)
    """
    return [PYTHON, "-c", textwrap.dedent(script)], b""


def sqlite(scale=1.0):
    n = int(250000 * scale)
    sql = f"""
        CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
            WHERE i < {n})
        INSERT INTO t SELECT i, i * 7919 % 1009, 'value ' || (i % 127) FROM n;
        SELECT k % 10, count(*), sum(id), max(v) FROM t GROUP BY 1 ORDER BY 1;
        CREATE INDEX t_k ON t(k, v);
        SELECT count(*) FROM t a JOIN t b ON a.k = b.k AND a.v = b.v
            WHERE a.id < {n // 3};
        SELECT no_such_column FROM t;
    """
    return [lib.command("sqlite3", "sqlite3"), ":memory:"], sql.encode()


def perl(scale=1.0):
    script = """
        use strict; use warnings;
        my (%count, $text);
        for my $i (1 .. LAST) {
            my $word = "w" . ($i * 7919 % 4999);
            $count{$word}++;
            $text .= $word . " " if $i % 10 == 0;
        }
        my $n = 0;
        $n++ while $text =~ /w(\\d)(\\d+)\\s/g;
        my @top = (sort { $count{$b} <=> $count{$a} || $a cmp $b }
                   keys %count)[0 .. 9];
        print "$_ $count{$_}\\n" for @top;
        print "$n\\n";
        warn "done\\n";
        exit 3;
    """.replace("LAST", str(int(2000000 * scale)))
    return [lib.command("perl", "perl"), "-e", script], b""


def gxx(scale=1.0):
    """cc1plus on standard headers and templates, to assembly on stdout."""
    source = "#include <algorithm>\n#include <map>\n#include <vector>\n"
    for i in range(int(3 * scale)):
        source += textwrap.dedent(f"""
            struct key{i} {{
                int n;
                bool operator<(const key{i} &o) const {{ return n < o.n; }}
            }};
            void sort_{i}(std::vector<key{i}> &all,
                          std::map<key{i}, std::vector<key{i}>> &groups)
            {{
                std::sort(all.begin(), all.end());
                for (const auto &k : all)
                    groups[k].push_back(k);
            }}
        """)
    return [lib.command("g++", "g++"), "-O2", "-S", "-o", "-", "-x", "c++",
            "-"], source.encode()
