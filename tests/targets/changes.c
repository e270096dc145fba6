/*
 * changes.c - makes objects, becomes something else or tries to, makes more,
 * says "ready" and its child, and waits for the end of its input.
 *
 * changes user ID   another user, or the one it is
 * changes fork -    there is a child that does nothing but wait as well
 * changes exec FILE FILE is no program
 * changes ... abort in the end, instead of waiting
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BEFORE 100
#define AFTER 50

static void *volatile kept;

static __attribute__((noinline)) void make_before(void)
{
	for (int i = 0; i < BEFORE; i++)
		kept = malloc(1000);
}

static __attribute__((noinline)) void make_after(void)
{
	for (int i = 0; i < AFTER; i++)
		kept = malloc(2000);
}

static void wait_for_end(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static pid_t fork_idle(void)
{
	pid_t child = fork();

	if (child == 0) {
		wait_for_end();
		_exit(0);
	}
	return child;
}

static pid_t change(const char *how, char *what)
{
	char *const args[] = { what, NULL };

	if (strcmp(how, "fork") == 0)
		return fork_idle();
	if (strcmp(how, "exec") == 0)
		return execv(what, args) == -1 ? 0 : -1;
	/* It would leave no core file otherwise. */
	return setuid((uid_t)atoi(what)) || prctl(PR_SET_DUMPABLE, 1) ? -1 : 0;
}

int main(int argc, char **argv)
{
	pid_t child;

	make_before();
	child = argc > 2 ? change(argv[1], argv[2]) : -1;
	if (child < 0)
		return 1;
	make_after();
	if (strcmp(argv[argc - 1], "abort") == 0)
		abort();
	printf("ready %d\n", child);
	fflush(stdout);
	wait_for_end();
	return 0;
}
