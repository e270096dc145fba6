#!/bin/sh
# stress.sh - stressors of stress-ng that verify what they do, a number of
# operations each. What they find wrong is their exit status and a line.
#
# Not here: mutex, which says "could not create any pthreads" when its first
# thread is faster than its main one; tmpfs, mmapfork and their like, which end
# early when memory is short, nor cyclic, to which the kernel grants its share
# of the processors (SCHED_DEADLINE) at one time and not at another.
stress() {
	stress-ng --temp-path . --no-rand-seed --verify --"$1" 2 --"$1"-ops "$2" \
		--timeout 30 >log 2>&1
	echo "$1: $?"
	sed -n 's/\[[0-9]*\]//; /fail:/p; /error:/p' log
}

each() {
	for s in "$@"; do
		stress "${s%=*}" "${s#*=}"
	done
}

each malloc=5000 fork=100 vfork=100 clone=30 pthread=100 spawn=20 exec=20 \
	sigabrt=20 sigchld=100 sigfd=5000 sigfpe=200 signal=2000 signest=200 \
	sigpending=2000 sigpipe=100 sigq=2000 sigrt=1000 sigsegv=200 \
	sigsuspend=300 sigtrap=200 timer=500 timerfd=50 bad-altstack=20 \
	munmap=100 futex=2000 seccomp=10 usersyscall=200 context=50 longjmp=1000
[ -n "$SUITES_LONG" ] || exit 0
each vfork=500 clone=200 pthread=1000 sigio=300 itimer=100 schedpolicy=100 \
	mmap=2 mremap=20 brk=500 stack=5 stackmmap=10 membarrier=10 rseq=500 \
	landlock=20 pidfd=50 wait=50 zombie=100 kill=500 daemon=50 switch=2000 \
	poll=500 eventfd=2000 epoll=100 pipe=5000 fault=500 mlock=500 \
	mprotect=200 dup=50 close=2000 env=5 set=20 session=20 hrtimers=50 \
	sysbadaddr=50 personality=50 chdir=50 chroot=50 unshare=20 aio=100 \
	aiol=50 dynlib=50 funcret=5 vm-segv=50 userfaultfd=50 ptrace=200 kcmp=50 \
	getrandom=100 sleep=50 yield=5000 locka=50 lease=50 msg=2000 mq=500 \
	sem-sysv=500 sockpair=100 sock=50 regs=100 exit-group=20 \
	vdso=2000 signal=20000 sigsegv=2000 usersyscall=20000
