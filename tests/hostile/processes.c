/*
 * processes.c - children out of the middle of everything, programs that others
 * start, and processes of an unusual standing.
 * BUILD: -pthread
 */
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hostile.h"

extern char **environ;

static char self[PATH_MAX], worker[PATH_MAX];

static int wait_for_child(pid_t child)
{
	int status;

	MUST(child > 0 && waitpid(child, &status, 0) == child);
	return status;
}

/* --- fork in the middle of everything ------------------------------------- */

static atomic_int stop;

static void *churning(void *unused)
{
	while (!atomic_load(&stop))
		churn(50);
	return unused;
}

static pid_t by_fork(void)
{
	return fork();
}

static pid_t by_small_fork(void)
{
	return _Fork();
}

static pid_t by_system_call(void)
{
	return (pid_t)syscall(SYS_fork);
}

/* Only after a real fork is malloc usable in a child of several threads. */
static void fork_many(pid_t (*make)(void), int times)
{
	for (int i = 0; i < times; i++) {
		pid_t child = make();

		if (child == 0) {
			if (make == by_fork)
				churn(100);
			burn(2);
			_exit(i);
		}
		MUST(wait_for_child(child) == i << 8);
	}
}

static void forks_in_the_middle(void)
{
	pthread_t t[3];

	hold();
	for (int i = 0; i < 3; i++)
		MUST(pthread_create(&t[i], NULL, churning, NULL) == 0);
	fork_many(by_fork, 10);
	fork_many(by_small_fork, 5);
	fork_many(by_system_call, 5);
	atomic_store(&stop, 1);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	burn(30);
}

static void *forking(void *unused)
{
	fork_many(by_fork, 10);
	return unused;
}

/* By several threads at once, none of them main. */
static void forking_threads(void)
{
	pthread_t t[3];

	hold();
	for (int i = 0; i < 3; i++)
		MUST(pthread_create(&t[i], NULL, forking, NULL) == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	burn(30);
}

/* --- programs that are started -------------------------------------------- */

static void own_work(void)
{
	hold();
	burn(30);
}

static void starts_by_system(void)
{
	own_work();
	MUST(system(worker) == 3 << 8);
}

static void starts_by_popen(void)
{
	FILE *p = popen(worker, "r");

	own_work();
	MUST(p && fgetc(p) == EOF);
	MUST(pclose(p) == 3 << 8);
}

static void starts_by_spawn(void)
{
	char *argv[] = { worker, NULL };
	pid_t child;

	own_work();
	MUST(posix_spawn(&child, worker, NULL, NULL, argv, environ) == 0);
	MUST(wait_for_child(child) == 3 << 8);
}

static void starts_by_fork(void)
{
	pid_t child = fork();

	if (child == 0) {
		execl(worker, "worker", (char *)NULL);
		_exit(9);
	}
	own_work();
	MUST(wait_for_child(child) == 3 << 8);
}

static void starts_by_vfork(void)
{
	pid_t child;

	own_work();
	child = vfork();
	if (child == 0) {
		execl(worker, "worker", (char *)NULL);
		_exit(9);
	}
	MUST(wait_for_child(child) == 3 << 8);
}

static void becomes(void)
{
	own_work();
	printf("fine\n");
	fflush(stdout);
	execl(worker, "worker", (char *)NULL);
	MUST(!"exec failed");
}

/* --- unusual standing ----------------------------------------------------- */

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
	char line[2 * PATH_MAX];
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
	{ "forks_in_the_middle", forks_in_the_middle },
	{ "forking_threads", forking_threads },
	{ "starts_by_system", starts_by_system },
	{ "starts_by_popen", starts_by_popen },
	{ "starts_by_spawn", starts_by_spawn },
	{ "starts_by_fork", starts_by_fork },
	{ "starts_by_vfork", starts_by_vfork },
	{ "becomes", becomes },
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
	char *copy = strdup(argv[0]);

	snprintf(self, sizeof(self), "%s", argv[0]);
	snprintf(worker, sizeof(worker), "%s/worker", dirname(copy));
	free(copy);
	return go_the_way(ways, COUNT(ways), argc, argv);
}
