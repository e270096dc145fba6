#!/bin/bash
# bash.sh - job control, traps, pipelines, and how children end.
# Printed is what bash itself knows: statuses, jobs, what traps saw. SIGUSR2
# without a trap asks the library for a profile, so nothing here dies by it.
# shellcheck disable=SC2093,SC1083,SC2154,SC2116,SC2034,SC2016,SC2010,SC2038

say() { echo "$*: $?"; }
spin() { local i; for ((i = 0; i < ${1:-20000}; i++)); do :; done; }

echo "== statuses"
for s in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV PIPE ALRM \
	TERM XCPU XFSZ VTALRM PROF IO PWR SYS RTMIN RTMIN+3 RTMAX-1; do
	(ulimit -c 0; spin 500; kill -s $s $BASHPID; sleep 10) 2>/dev/null
	echo "$s $? $(kill -l $?)"
done
for n in 0 1 2 126 127 255; do (exit $n); say "exit $n"; done
(spin; exec true); say exec
(exec /nonexistent/program) 2>/dev/null; say "exec of nothing"
bash -c 'kill -9 $$' 2>/dev/null; say killed
sh -c 'ulimit -c 0; kill -SEGV $$'; say "another shell, SEGV"

echo "== pipelines"
seq 20000 | sort -R | sort -n | uniq | tail -n 3 | tac | paste -sd,
yes | head -n 2; echo "${PIPESTATUS[*]}"
(set -o pipefail; false | true | cat; say pipefail)
seq 1000000 | head -n 1 >/dev/null; echo "${PIPESTATUS[*]}"
diff <(seq 5) <(seq 6); say "process substitution"
for i in {1..50}; do echo "$i" | (read -r x; echo $((x * 2))) | cat; done |
	md5sum
coproc up { while read -r line; do echo "${line^^}"; done; }
echo hello >&"${up[1]}"; read -r answer <&"${up[0]}"; echo "$answer"
exec {up[1]}>&-; wait "$up_PID"; say coproc
x=$(spin; echo nested "$(echo "$(spin 100; echo deep)")"); echo "$x"
mapfile -t lines < <(seq 3); echo "${#lines[@]}"
cat <<-here | tr '[:lower:]' '[:upper:]'
	a here document
here

echo "== traps"
trap 'echo got USR1' USR1
trap 'echo got USR2' USR2
trap 'echo got TERM' TERM
trap 'echo got ALRM' ALRM
for s in USR1 USR2 TERM ALRM; do kill -$s $$; done
(trap 'echo child at its end' EXIT; spin 100)
(trap - USR1; trap -p; kill -USR1 $BASHPID; sleep 10) 2>/dev/null
say "default again"
(trap '' TERM; kill -TERM $BASHPID; echo ignores TERM)
bash -c 'trap "" USR2 TERM; bash -c "kill -USR2 \$\$; kill -TERM \$\$
	echo inherited: ignored"'
trap 'echo err in line' ERR; false; trap - ERR
f() { trap 'echo returns' RETURN; }; f; trap - RETURN
(trap 'echo debug' DEBUG; :; :)
trap -p; trap - USR1 USR2 TERM ALRM
(trap 'echo waited and got $?' CHLD; (exit 3) & wait $!; say "wait")
sleep 100 & kill $!; wait $! 2>/dev/null; say "wait for a killed one"
(trap 'echo interrupted' USR1; parent=$BASHPID
	(kill -USR1 "$parent") & sleep 0.1; wait; say "wait for nothing")

echo "== job control"
set -m
for i in 1 2 3; do (exit $i) & done
for i in 1 2 3; do wait -n; s=$?; [ $s -gt 0 ] && echo one; done
sleep 100 & kill -STOP %1
until [ "$(jobs -s | wc -l)" = 1 ]; do sleep 0.01; done
jobs -s | tr -s ' '
kill -CONT %1; jobs -r | tr -s ' '; kill %1; wait %1; say "continued, ended"
(spin; kill -STOP $BASHPID; exit 7) &
until [ "$(jobs -s | wc -l)" = 1 ]; do sleep 0.01; done
fg %+ >/dev/null; say "foreground"
(spin 1000; sleep 0.05) & wait $!; say "in the background"
set +m

echo "== limits and time"
(ulimit -St 1; ulimit -c 0; while :; do :; done) 2>/dev/null; say "CPU limit"
(ulimit -Sf 1; ulimit -c 0; trap '' XFSZ
	head -c 4096 /dev/zero >big 2>/dev/null; say "file limit"; wc -c <big)
(ulimit -Sn 10; exec 3<&-; exec {fd}</dev/null; say "few descriptors")
(ulimit -u 10000; echo many | cat)
timeout 0.1 sleep 10; say timeout
timeout -s USR1 0.1 bash -c 'while :; do :; done'; say "timeout USR1"
timeout -k 0.1 1 bash -c 'trap "" TERM; while :; do :; done'; say "and KILL"
read -r -t 0.05 nothing < <(sleep 1); say "read in time"
TIMEFORMAT=; { time spin; } 2>&1; say time
nohup bash -c 'kill -HUP $$; echo after HUP' 2>/dev/null
setsid bash -c 'ps -o pgid=,sid= -p $$ | { read -r a b; [ $a = $b ]; }'
say "session of its own"
ls -l /proc/self/fd | grep -c -v -e total
env -i /bin/echo without environment
find . -name big -exec sh -c 'echo "$1"' _ {} \; | xargs -P 4 -n 1 echo
for i in {1..200}; do (:) & done; wait; say "two hundred children"
echo "== end"
trap 'echo at the end; exit 5' EXIT
kill -TERM $$ & wait
