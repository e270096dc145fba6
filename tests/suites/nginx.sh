#!/bin/sh
# nginx.sh - a server with workers: requests, reload, new logs, a worker that
# dies, upgrade of the running binary (USR2, WINCH), back to the old one (HUP,
# QUIT), once more and for good, the end.
mkdir -p html logs
seq 5000 >html/large
echo hello >html/index.html
cat >conf <<-end
	daemon on;
	pid $PWD/pid;
	error_log $PWD/logs/error notice;
	worker_processes 2;
	thread_pool files threads=2;
	events { worker_connections 64; }
	http {
		access_log $PWD/logs/access;
		client_body_temp_path $PWD/body;
		proxy_temp_path $PWD/proxy;
		fastcgi_temp_path $PWD/fastcgi;
		uwsgi_temp_path $PWD/uwsgi;
		scgi_temp_path $PWD/scgi;
		gzip on;
		gzip_types *;
		aio threads=files;
		server {
			listen unix:$PWD/socket;
			root $PWD/html;
			location /back { proxy_pass http://unix:$PWD/socket:/; }
		}
	}
end
get() {
	path=${1-}
	[ $# = 0 ] || shift
	curl -s --max-time 20 --unix-socket socket "$@" "http://localhost/$path"
}
workers() { pgrep -c -P "$1"; }
await() { # DESCRIPTION COMMAND...
	what=$1
	shift
	for _ in $(seq 300); do
		"$@" && { echo "$what"; return; }
		sleep 0.02
	done
	echo "never: $what"
}
trap 'kill -TERM $(cat pid pid.oldbin 2>/dev/null) 2>/dev/null' EXIT
nginx -c "$PWD/conf" -t 2>&1
/usr/sbin/nginx -c "$PWD/conf"; echo "start $?"
two() { [ "$(workers "$(cat pid)")" = 2 ]; }
await 'two workers' two
get; get large | md5sum; get large --compressed | md5sum; get back | head -c 5
get nothing -o /dev/null -w '%{http_code}\n'
for _ in 1 2 3 4 5 6 7 8 9 10; do get large -o /dev/null -w '%{http_code}' & done
wait; echo

old=$(pgrep -P "$(cat pid)" | sort | head -n 1)
kill -HUP "$(cat pid)"
gone() { ! kill -0 "$old" 2>/dev/null; }
await 'reloaded: the old worker is gone' gone
await 'two workers' two
mv logs/access logs/old; kill -USR1 "$(cat pid)"
await 'logs opened again' test -e logs/access
old=$(pgrep -P "$(cat pid)" | head -n 1); kill -SEGV "$old"
await 'a worker has died' gone; await 'two workers' two; get
old=$(pgrep -P "$(cat pid)" | head -n 1); kill -KILL "$old"
await 'a worker was killed' gone; await 'two workers' two; get

other() { [ -s pid ] && [ "$(cat pid)" != "$first" ]; }
of_first() { pgrep -P "$first" | grep -vcx "$(cat pid)"; }
none() { [ "$(of_first)" = 0 ]; }
upgrade() {
	first=$(cat pid)
	kill -USR2 "$first"
	await 'old binary steps back' test -e pid.oldbin
	await 'new binary runs' other
	await 'two workers' two
	kill -WINCH "$first"
	await 'old workers have gone' none
	get
}
upgrade
kill -HUP "$first"
again() { [ "$(of_first)" = 2 ]; }
await 'old workers are back' again
old=$(cat pid)
kill -QUIT "$old"
await 'new master has gone' gone
back() { [ "$(cat pid)" = "$first" ]; }
await 'old binary is back' back
get large | md5sum
upgrade
kill -QUIT "$first"
old=$first
await 'old master has gone' gone
get large | md5sum
kill -QUIT "$(cat pid)"
over() { ! [ -e pid ]; }
await 'over' over
sed 's/.*\] [0-9]*#[0-9]*: //; s/[0-9][0-9]* exited/N exited/; s/process [0-9]*/process N/' \
	logs/error | grep -E 'alert|emerg|exited on' | sort
