/*
 * endings.c - a process that holds memory, uses CPU time, and then ends in the
 * way it is told to. BUILD: -pthread
 *
 * endings HOW
 *   Main holds 3 MB (from hold) and burns 80 ms (in burn). HOW is one of the
 *   names in the table below. "atexit" and "destructor" lines show that the
 *   host's own handlers have run.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static void *volatile held;
static char **arguments;

__attribute__((noinline)) static void burn(long ms)
{
	target_spin(ms);
}

__attribute__((noinline)) static void hold(void)
{
	held = malloc(3000000);
	memset(held, 1, 3000000);
}

static void say(const char *text)
{
	(void)!write(1, text, strlen(text));
}

static void at_exit(void)
{
	say("atexit\n");
}

static void at_quick_exit_handler(void)
{
	say("at_quick_exit\n");
}

static __attribute__((destructor)) void destructor(void)
{
	say("destructor\n");
	burn(30);
}

static void *exit_here(void *unused)
{
	burn(80);
	exit(7);
	return unused;
}

static void *burn_here(void *unused)
{
	burn(80);
	return unused;
}

static void *underscore_exit_here(void *unused)
{
	burn(80);
	_exit(7);
	return unused;
}

static void by_return(void)
{
}

static void by_exit(void)
{
	exit(7);
}

static void by_underscore_exit(void)
{
	_exit(7);
}

static void by_capital_exit(void)
{
	_Exit(7);
}

static void by_quick_exit(void)
{
	quick_exit(7);
}

static void in_thread(void *(*fn)(void *))
{
	pthread_t t;

	pthread_create(&t, NULL, fn, NULL);
	pthread_join(t, NULL);
}

static void by_thread_exit(void)
{
	in_thread(exit_here);
}

static void by_thread_underscore_exit(void)
{
	in_thread(underscore_exit_here);
}

/* Main ends first; the process ends with its last thread. */
static void by_pthread_exit(void)
{
	pthread_t t;

	pthread_create(&t, NULL, burn_here, NULL);
	pthread_detach(t);
	pthread_exit(NULL);
}

static void by_signal(int sig)
{
	signal(sig, SIG_DFL);
	raise(sig);
	say("still here\n");
}

static void by_term(void)
{
	by_signal(SIGTERM);
}

static void by_int(void)
{
	by_signal(SIGINT);
}

static void by_hup(void)
{
	kill(getpid(), SIGHUP);
	say("still here\n");
}

static void by_kill(void)
{
	raise(SIGKILL);
}

static void by_exec(void)
{
	execl("/bin/echo", "echo", "new image", (char *)NULL);
}

static void by_exec_path(void)
{
	char *argv[] = { "echo", "new image", NULL };

	execvp("echo", argv);
}

static void by_failed_exec(void)
{
	int first;

	execl("/nonexistent/program", "x", (char *)NULL);
	first = errno;
	execl("/", "x", (char *)NULL); /* may be executed, but is none */
	printf("errno %d %d\n", first, errno);
	(void)fflush(stdout);
	burn(80);
}

static void *exec_for_ever(void *unused)
{
	for (;;)
		execl("/", "x", (char *)NULL);
	return unused;
}

/* Ends at any moment of another thread's exec that fails. */
static void by_exit_during_execs(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exec_for_ever, NULL);
	burn(30);
	_exit(7);
}

/* Tell the shell's $? by the wait status. */
static void by_vfork_exit(void)
{
	int status = 0;
	pid_t child = vfork();

	if (child == 0)
		_exit(9);
	waitpid(child, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
	(void)fflush(stdout);
}

static void by_vfork_exec(void)
{
	int status = 0;
	pid_t child = vfork();

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
	(void)fflush(stdout);
}

static void by_self_exec(void)
{
	execl(arguments[0], arguments[0], "return", (char *)NULL);
}

static void many_exits(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, underscore_exit_here, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static const struct {
	const char *name;
	void (*end)(void);
} ways[] = {
	{ "return", by_return },
	{ "exit", by_exit },
	{ "_exit", by_underscore_exit },
	{ "_Exit", by_capital_exit },
	{ "quick_exit", by_quick_exit },
	{ "thread_exit", by_thread_exit },
	{ "thread__exit", by_thread_underscore_exit },
	{ "pthread_exit", by_pthread_exit },
	{ "term", by_term },
	{ "int", by_int },
	{ "hup", by_hup },
	{ "kill", by_kill },
	{ "exec", by_exec },
	{ "execvp", by_exec_path },
	{ "failed_exec", by_failed_exec },
	{ "exit_during_execs", by_exit_during_execs },
	{ "self_exec", by_self_exec },
	{ "vfork_exit", by_vfork_exit },
	{ "vfork_exec", by_vfork_exec },
	{ "many_exits", many_exits },
};

int main(int argc, char **argv)
{
	arguments = argv;
	atexit(at_exit);
	at_quick_exit(at_quick_exit_handler);
	hold();
	burn(80);
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(argv[1], ways[i].name) == 0)
			ways[i].end();
	}
	return 0;
}
