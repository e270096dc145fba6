/*
 * orphans.c - profiles get source lines from a process that is nobody's child.
 * BUILD: -pthread
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "filter.h"
#include "hostile.h"

static const char *self;
static volatile sig_atomic_t signals_of_children;

static void on_child(int sig)
{
	(void)sig;
	signals_of_children++;
}

/* Neither a child nor a word of one, however one looks. */
static void no_child(void)
{
	siginfo_t info;
	struct rusage usage;
	int status;

	MUST(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
	MUST(waitpid(0, &status, WNOHANG | WUNTRACED) == -1 && errno == ECHILD);
	MUST(wait4(-1, &status, WNOHANG, &usage) == -1 && errno == ECHILD);
	MUST(waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) ==
			-1 &&
		errno == ECHILD);
	MUST(signals_of_children == 0);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Longer than the helper has to do, for what we leave here. */
static void watch(long ms)
{
	for (long end = now_ms() + ms; now_ms() < end; churn(20))
		no_child();
}

static void dump_and_watch(int times)
{
	signal(SIGCHLD, on_child);
	hold();
	burn(100);
	for (int i = 0; i < times; i++) {
		dump();
		watch(200);
	}
	watch(300);
	burn(10);
}

static void waits(void)
{
	dump_and_watch(3);
}

static void subreaper(void)
{
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	dump_and_watch(3);
}

/* In a namespace of its own it must find itself in /proc. */
static void first_process(void)
{
	int status;
	pid_t child;

	if (getpid() == 1) {
		dump_and_watch(3);
		return;
	}
	MUST(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0);
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	child = fork();
	if (child == 0) {
		MUST(mount("proc", "/proc", "proc", 0, NULL) == 0);
		execl(self, self, "first_process", (char *)NULL);
		_exit(9);
	}
	MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	hold();
	burn(100);
}

/* The first process made from now on is to be the first of a namespace. */
static void next_namespace(void)
{
	int status;
	pid_t child;

	MUST(unshare(CLONE_NEWPID) == 0);
	dump_and_watch(2);
	child = fork();
	if (child == 0)
		_exit(getpid() == 1 ? 7 : 8);
	signal(SIGCHLD, SIG_DFL);
	MUST(child > 0 && waitpid(child, &status, 0) == child);
	MUST(status == 7 << 8);
}

/* What ends here has ended for the other side. */
static void pipe_ends(void)
{
	int ends[2];
	char c;

	hold();
	burn(100);
	MUST(pipe(ends) == 0);
	dump();
	usleep(20000);
	MUST(close(ends[1]) == 0);
	MUST(poll(&(struct pollfd){ .fd = ends[0] }, 1, 100) == 1);
	MUST(read(ends[0], &c, 1) == 0);
	watch(200);
}

/* Signals to the group are not for the helper, nor are its for us. */
static void group(void)
{
	MUST(setpgid(0, 0) == 0 || getpgrp() == getpid());
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	hold();
	burn(100);
	for (int i = 0; i < 20; i++) {
		dump();
		kill(0, SIGTERM);
		kill(0, SIGHUP);
		watch(10);
	}
	watch(200);
}

/* Of what children have used, next to nothing. */
static void usage(void)
{
	struct rusage before, after;

	MUST(getrusage(RUSAGE_CHILDREN, &before) == 0);
	dump_and_watch(5);
	MUST(getrusage(RUSAGE_CHILDREN, &after) == 0);
	MUST(after.ru_utime.tv_sec + after.ru_stime.tv_sec == 0);
	MUST(after.ru_utime.tv_usec + after.ru_stime.tv_usec < 20000);
	MUST(after.ru_majflt == before.ru_majflt);
	MUST(after.ru_inblock == before.ru_inblock);
}

/* The helper is not where its name says any more. */
static void other_root(void)
{
	MUST(mkdir("root", 0755) == 0 && chroot("root") == 0);
	MUST(chdir("/") == 0);
	dump_and_watch(1);
}

/* Who runs in our memory with the old rights would give them away. */
static void other_user(void)
{
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	hold();
	burn(100);
	for (int i = 0; i < 10; i++) {
		dump();
		usleep(10000);
		MUST(seteuid(65534) == 0);
		MUST(seteuid(0) == 0);
	}
	watch(200);
}

/* Executing is the end of whoever does it. */
static void no_execution(void)
{
	static const int calls[] = { SYS_execve, SYS_execveat };
	struct filter f;

	filter_make(&f, calls, COUNT(calls), SECCOMP_RET_KILL_PROCESS,
		SECCOMP_RET_ALLOW);
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f.program) == 0);
	dump_and_watch(2);
}

/* The same for who makes a process: only threads may be made. */
static void no_process(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(code), code };

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	dump_and_watch(2);
}

/* Processes may not be made for want of room for one. */
static void no_room(void)
{
	const struct rlimit none = { 0, 0 };

	MUST(setrlimit(RLIMIT_NPROC, &none) == 0);
	MUST(setresuid(65534, 65534, 65534) == 0);
	dump_and_watch(2);
}

static const struct way ways[] = {
	{ "waits", waits },
	{ "subreaper", subreaper },
	{ "first_process", first_process },
	{ "next_namespace", next_namespace },
	{ "pipe_ends", pipe_ends },
	{ "group", group },
	{ "usage", usage },
	{ "other_root", other_root },
	{ "other_user", other_user },
	{ "no_execution", no_execution },
	{ "no_process", no_process },
	{ "no_room", no_room },
};

int main(int argc, char **argv)
{
	self = argv[0];
	return go_the_way(ways, COUNT(ways), argc, argv);
}
