#!/bin/sh
# sqlite.sh - the shell of SQLite: transactions, a crash in the middle of one,
# several writers at once, and its own integrity check.
q() { sqlite3 -batch -cmd '.timeout 20000' base "$@"; echo "status $?"; }

q 'pragma journal_mode=wal' 'create table t(id integer primary key, a, b)'
q 'with recursive n(i) as (select 1 union all select i + 1 from n
	where i < 20000) insert into t select i, hex(i * 7919), i % 97 from n' \
	'create index by_b on t(b, a)' 'analyze' 'select count(*), sum(b) from t'
q 'select b, count(*), max(a) from t group by b order by 2 desc, 1 limit 5'
q "select json_group_array(b) from (select b from t order by id limit 5)"
for i in 1 2 3 4; do
	seq 25 | sed "s/.*/begin immediate; insert into t(a, b) values($i, &); commit;/" |
		sqlite3 -batch -cmd '.timeout 20000' base &
done
wait
q "select count(*) from t"
sh -c 'echo "begin immediate; delete from t;
.shell kill -9 \$PPID" | sh -c "exec sqlite3 -batch base"' 2>&1
q 'select count(*) from t' 'pragma integrity_check' 'pragma wal_checkpoint'
echo 'with recursive n(i) as (select 1 union all select i + 1 from n)
	select count(*) from n;' | timeout -s INT 0.3 sqlite3 -batch base
echo "interrupted: $?"
q 'select a, b from t order by a, b' | md5sum
q 'vacuum' '.backup copy' && cmp base copy | wc -l
sqlite3 :memory: ".import --csv '|seq 500' s" 'select count(*), sum("1") from s'
sqlite3 :memory: 'select edit("x", "sed -i s/x/edited/")'
sqlite3 -batch base '.read /nonexistent' 2>&1; echo "status $?"
sqlite3 base 'select a from t order by id' | head -n 2
