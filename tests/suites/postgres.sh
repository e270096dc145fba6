#!/bin/sh
# postgres.sh - a PostgreSQL cluster: made, loaded by pgbench, a backend killed
# (all restart and recover), stopped in three ways, parallel queries, and the
# signals that a backend takes. Runs as user postgres. PostgreSQL
# handles SIGUSR2 itself everywhere.
[ "$(id -u)" != 0 ] ||
	exec setpriv --reuid=postgres --regid=postgres --clear-groups sh "$0"
set -- /usr/lib/postgresql/*/bin
PATH=$1:$PATH
export PGHOST="$PWD" PGUSER=postgres PGDATABASE=postgres PGDATA="$PWD/data"
initdb -A trust --no-sync >log.initdb 2>&1; echo "initdb $?"
cat >>data/postgresql.conf <<-end
	listen_addresses = ''
	unix_socket_directories = '$PWD'
	fsync = off
	max_parallel_workers_per_gather = 2
	min_parallel_table_scan_size = 0
	parallel_setup_cost = 0
	parallel_tuple_cost = 0
	autovacuum_naptime = 1s
	archive_mode = on
	archive_command = 'true'
	log_min_messages = warning
end
ctl() { pg_ctl -s -l log.server "$@"; echo "$*: $?"; }
sql() { psql -XAtq "$@" 2>&1; echo "status $?"; }
trap 'pg_ctl -s stop -m immediate 2>/dev/null' EXIT
ctl start -w
pgbench -i -q -s 1 2>/dev/null; echo "made $?"
pgbench -n -c 4 -j 2 -t 50 2>&1 | grep -E 'processed|failed'
pgbench -n -S -M prepared -c 4 -j 2 -t 200 2>&1 | grep -E 'processed|failed'
sql -c 'select count(*), sum(aid) from pgbench_accounts' \
	-c 'select count(*) from pgbench_history'
sql -c "explain (costs off, analyze, timing off, summary off)
	select count(*) from pgbench_accounts where abalance >= -1000000" |
	grep -E 'Workers|rows=1 '
sql -c 'select 1 / 0'
sql -c "set statement_timeout = '100ms'; select pg_sleep(10)"
sql -c "set lock_timeout = '50ms'; select pg_cancel_backend(pg_backend_pid())"
sql -c 'select pg_terminate_backend(pg_backend_pid())'
sql -c "with recursive n(i) as (select 1 union all select i + 1 from n
	where i < 50000) select md5(string_agg(i::text, ',')) from n"
sql -c 'vacuum analyze' -c 'checkpoint' -c 'reindex database postgres'
sql -c "do \$\$ begin for i in 1..100 loop begin perform 1 / 0;
	exception when division_by_zero then null; end; end loop; end \$\$"
psql -Xq -c 'listen x' -c "notify x, 'hello'" | sed 's/PID [0-9]*/PID N/'

# A backend dies: the postmaster ends all others, recovers, takes clients again.
killed() {
	psql -XAtq -c 'select pg_sleep(100)' >"killed.$1" 2>&1 &
	client=$!
	until pid=$(psql -XAtq -c "select pid from pg_stat_activity
		where query = 'select pg_sleep(100)'" 2>/dev/null) && [ "$pid" ]; do
		sleep 0.05
	done
	kill "-$1" "$pid"
	wait $client 2>/dev/null
	echo "$1: client $? $(grep -c 'terminated abnormally' "killed.$1")"
	until psql -XAtq -c 'select 1' >/dev/null 2>&1; do sleep 0.05; done
	sql -c 'select count(*) from pgbench_accounts'
}
killed KILL
killed SEGV
killed ABRT
grep -oE 'terminated by signal.*|not properly shut down.*' log.server
ctl reload
ctl restart -m fast -w
sql -c 'select count(*) from pgbench_history'
ctl stop -m immediate -w
ctl start -w
sql -c 'select count(*) from pgbench_branches'
pg_dump -t pgbench_branches | grep -vc '^--'
ctl stop -m smart -w
pg_controldata | grep -E 'cluster state'
ls data/postmaster.pid 2>/dev/null
