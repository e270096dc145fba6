/*
 * standing.c - processes of an unusual standing: the first of a namespace, with
 * a tracer, with fixed addresses, with the rights of a file's owner.
 */
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "hostile.h"

static const char *self;

static int wait_for_child(pid_t child)
{
	int status;

	MUST(child > 0 && waitpid(child, &status, 0) == child);
	return status;
}

static void own_work(void)
{
	hold();
	burn(30);
}

static volatile sig_atomic_t orphans;

static void on_child(int sig)
{
	(void)sig;
	orphans++;
}

/* Signals without a handler do not end it, and orphans become its children. */
static void as_first_process(void)
{
	int left = 2;

	MUST(getpid() == 1);
	signal(SIGCHLD, on_child);
	own_work();
	raise(SIGTERM);
	raise(SIGINT);
	raise(SIGUSR1);
	if (fork() == 0) {
		if (fork() == 0)
			burn(20);
		_exit(0);
	}
	while (left)
		left -= wait(NULL) > 0;
	MUST(wait(NULL) == -1 && errno == ECHILD);
	MUST(orphans >= 1);
	dump();
}

static void in_pid_namespace(const char *way)
{
	pid_t child;

	MUST(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0);
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	child = fork();
	if (child == 0) {
		if (strcmp(way, "first_with_proc") == 0)
			MUST(mount("proc", "/proc", "proc", 0, NULL) == 0);
		execl(self, self, way, (char *)NULL);
		_exit(9);
	}
	MUST(wait_for_child(child) == 5 << 8);
}

/* /proc is that of the old namespace: it does not know us. */
static void first_process(void)
{
	if (getpid() != 1) {
		in_pid_namespace("first_process");
		return;
	}
	as_first_process();
	exit(5);
}

static void first_with_proc(void)
{
	if (getpid() != 1) {
		in_pid_namespace("first_with_proc");
		return;
	}
	as_first_process();
	exit(5);
}

/* Everything the child does passes the tracer, who changes nothing. */
static int trace(pid_t child)
{
	int status;

	MUST(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	for (;;) {
		int sig = WSTOPSIG(status);

		if (sig == SIGTRAP || sig == SIGSTOP)
			sig = 0;
		MUST(ptrace(PTRACE_CONT, child, NULL, (long)sig) == 0);
		MUST(waitpid(child, &status, __WALL) == child);
		if (!WIFSTOPPED(status))
			return status;
	}
}

static void traced(void)
{
	pid_t child = fork();

	if (child == 0) {
		MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
		raise(SIGSTOP);
		own_work();
		dump();
		exit(6);
	}
	own_work();
	MUST(trace(child) == 6 << 8);
}

/* The tracer sees the signal that ends the child once, and then its end. */
static void traced_to_death(void)
{
	pid_t child = fork();

	if (child == 0) {
		MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
		raise(SIGSTOP);
		own_work();
		raise(SIGTERM);
	}
	own_work();
	MUST(trace(child) == SIGTERM);
}

static void fixed_addresses(void)
{
	int now = personality(0xffffffff);

	MUST(now >= 0);
	if (!(now & ADDR_NO_RANDOMIZE)) {
		MUST(personality((unsigned)now | ADDR_NO_RANDOMIZE) >= 0);
		execl(self, self, "fixed_addresses", (char *)NULL);
		MUST(!"exec failed");
	}
	own_work();
}

/* Of another user: the loader forgets the preloads, nobody complains. */
static void other_user(void)
{
	MUST(getuid() == 65534 && geteuid() == 0);
	MUST(getauxval(AT_SECURE) == 1 && !getenv("LD_PRELOAD"));
	hold();
	burn(10);
	exit(4);
}

static void set_user_id(void)
{
	char line[10000];
	pid_t child;

	own_work();
	snprintf(line, sizeof(line),
		"cp %s set_user_id && "
		"chmod 4755 set_user_id",
		self);
	MUST(system(line) == 0);
	child = fork();
	if (child == 0) {
		MUST(setuid(65534) == 0);
		execl("set_user_id", "set_user_id", "other_user", (char *)NULL);
		_exit(9);
	}
	MUST(wait_for_child(child) == 4 << 8);
}

static const struct way ways[] = {
	{ "first_process", first_process },
	{ "first_with_proc", first_with_proc },
	{ "traced", traced },
	{ "traced_to_death", traced_to_death },
	{ "fixed_addresses", fixed_addresses },
	{ "other_user", other_user },
	{ "set_user_id", set_user_id },
};

int main(int argc, char **argv)
{
	self = argv[0];
	return go_the_way(ways, COUNT(ways), argc, argv);
}
