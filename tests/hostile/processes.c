/*
 * processes.c - children out of the middle of everything, and programs that
 * others start.
 * BUILD: -pthread
 */
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hostile.h"

extern char **environ;

static char worker[PATH_MAX];

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

/* --- children in our memory ----------------------------------------------- */

static char clone_stack[65536] __attribute__((aligned(16)));

static int ends_by_exit(void *unused)
{
	(void)unused;
	churn(100);
	_exit(5);
}

static int ends_by_signal(void *unused)
{
	(void)unused;
	churn(100);
	syscall(SYS_kill, syscall(SYS_getpid), SIGTERM);
	return 9;
}

static int computes(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5000000; i++)
		sink++;
	syscall(SYS_exit, 5);
	return 9;
}

static int cloned(int (*fn)(void *), int flags)
{
	return wait_for_child(clone(fn, clone_stack + sizeof(clone_stack),
		CLONE_VM | SIGCHLD | flags, NULL));
}

/* As vfork, on a stack of its own. */
static void cloned_and_awaited(void)
{
	hold();
	for (int i = 0; i < 20; i++) {
		MUST(cloned(ends_by_exit, CLONE_VFORK) == 5 << 8);
		MUST(cloned(ends_by_signal, CLONE_VFORK) == SIGTERM);
	}
	burn(30);
}

/* It has our thread's thread pointer: nothing but computing is allowed. */
static void cloned_beside(void)
{
	hold();
	for (int i = 0; i < 5; i++)
		MUST(cloned(computes, 0) == 5 << 8);
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

static const struct way ways[] = {
	{ "forks_in_the_middle", forks_in_the_middle },
	{ "forking_threads", forking_threads },
	{ "cloned_and_awaited", cloned_and_awaited },
	{ "cloned_beside", cloned_beside },
	{ "starts_by_system", starts_by_system },
	{ "starts_by_popen", starts_by_popen },
	{ "starts_by_spawn", starts_by_spawn },
	{ "starts_by_fork", starts_by_fork },
	{ "starts_by_vfork", starts_by_vfork },
	{ "becomes", becomes },
};

int main(int argc, char **argv)
{
	char *copy = strdup(argv[0]);

	snprintf(worker, sizeof(worker), "%s/worker", dirname(copy));
	free(copy);
	return go_the_way(ways, COUNT(ways), argc, argv);
}
