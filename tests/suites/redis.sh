#!/bin/sh
# redis.sh - persistence by forked children, restart with the data, the ways a
# server ends, and the crash report that it writes in its SIGSEGV handler.
serve() {
	redis-server --unixsocket s --port 0 --dir . --daemonize no "$@" \
		--loglevel notice --logfile log >>output 2>&1 &
	server=$!
	until redis-cli -s s ping 2>&1 | grep -q PONG; do
		kill -0 $server 2>/dev/null || { echo "did not start"; return; }
		sleep 0.02
	done
}
ended() {
	wait $server 2>/dev/null
	echo "$1: status $?"
}
ask() {
	redis-cli -s s "$@"
}
settled() {
	while ask info persistence | grep -q -e _in_progress:1 -e _scheduled:1; do
		sleep 0.02
	done
	ask info persistence | tr -d '\r' | grep _status
}

serve --appendonly yes --save '' --io-threads 2 --io-threads-do-reads yes
ask debug jmap >/dev/null 2>&1
ask eval 'for i = 1, 20000 do redis.call("set", "k" .. i, "v" .. i) end
	return redis.call("dbsize")' 0
ask config set activedefrag yes >/dev/null 2>&1
redis-benchmark -s s -q -n 2000 -c 20 -P 4 -t set,get,lpush,sadd,mset \
	>/dev/null 2>&1; echo "benchmark $?"
ask bgsave; settled
ask bgrewriteaof; settled
ask eval 'for i = 1, 1000 do redis.call("incr", "n") end return 1' 0
ask bgrewriteaof >/dev/null; settled
ask flushall async; ask set kept 1
ask get kept
kill -TERM $server; ended TERM
serve --appendonly yes --save ''
ask get kept; ask dbsize
ask eval 'for i = 1, 3000 do redis.call("set", "k" .. i, "v" .. i) end' 0
ask shutdown nosave; ended shutdown
serve --appendonly yes --save ''
ask dbsize
kill -KILL $server; ended KILL
serve --appendonly yes --save ''
ask dbsize; ask save
kill -INT $server; ended INT
redis-check-rdb dump.rdb | grep -c 'RDB looks OK'
redis-check-aof appendonlydir/*.manifest | grep -c 'valid'

# A crash: the report is the same but for numbers. Its memory test overwrites
# the thread's area that the kernel reads when it schedules (rseq), and so ends
# the report early now and then, whoever watches: not in here.
crashing() {
	serve --save '' --appendonly no --enable-debug-command yes \
		--crash-memcheck-enabled no
}
crashing
: >log
ask debug segfault 2>&1 | head -n 1
ended 'debug segfault'
grep -ac 'REDIS BUG REPORT' log
grep -aE 'crashed by signal|STACK TRACE|INFO OUTPUT|CLIENT LIST' log |
	sed 's/.*# Redis/Redis/'
sed -n '/^Backtrace/,/^-----/p' log | sed 's/\[.*//; s/+0x[0-9a-f]*//g' |
	grep -a redis-server
crashing
: >log
kill -SEGV $server; ended SEGV
grep -ac 'REDIS BUG REPORT' log
crashing
ask debug restart 2>&1 | head -n 1
kill -TERM $server 2>/dev/null; ended 'restart'
crashing
ask config set watchdog-period 200
ask debug sleep 0.5
grep -ac 'WATCHDOG TIMER EXPIRED' log
ask debug assert 2>&1 | head -n 1; ended 'assert'
