/*
 * spawner.c - starts a program in the way it is told to.
 *
 * spawner HOW PROGRAM ARGUMENTS...
 *   After a spawn it waits, prints the child's status and its own LD_PRELOAD
 *   ("mine: ...").
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char **args;

static void by_execve(void)
{
	execve(args[0], args, environ);
}

static void by_execv(void)
{
	execv(args[0], args);
}

static void by_execvp(void)
{
	execvp(args[0], args);
}

static void by_execvpe(void)
{
	execvpe(args[0], args, environ);
}

static void by_execl(void)
{
	execl(args[0], args[0], args[1], args[1] ? args[2] : NULL, NULL);
}

static void by_execlp(void)
{
	execlp(args[0], args[0], args[1], args[1] ? args[2] : NULL, NULL);
}

static void by_execle(void)
{
	if (args[1] && args[2])
		execle(args[0], args[0], args[1], args[2], NULL, environ);
	else
		execle(args[0], args[0], args[1], NULL, environ);
}

static void by_fexecve(void)
{
	fexecve(open(args[0], O_RDONLY | O_CLOEXEC), args, environ);
}

static void by_execveat(void)
{
	execveat(AT_FDCWD, args[0], args, environ, 0);
}

static void finish(pid_t child)
{
	const char *preload = getenv("LD_PRELOAD");
	int status = 0;

	waitpid(child, &status, 0);
	printf("status %x\nmine: %s\n", (unsigned)status,
		preload ? preload : "none");
}

static void by_spawn(void)
{
	pid_t child;

	if (posix_spawn(&child, args[0], NULL, NULL, args, environ) == 0)
		finish(child);
}

static void by_spawnp(void)
{
	pid_t child;

	if (posix_spawnp(&child, args[0], NULL, NULL, args, environ) == 0)
		finish(child);
}

static void by_vfork(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execve(args[0], args, environ);
		_exit(127);
	}
	finish(child);
}

static void by_empty_environment(void)
{
	char *none[] = { NULL };

	execve(args[0], args, none);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{ "execve", by_execve },
	{ "execv", by_execv },
	{ "execvp", by_execvp },
	{ "execvpe", by_execvpe },
	{ "execl", by_execl },
	{ "execlp", by_execlp },
	{ "execle", by_execle },
	{ "fexecve", by_fexecve },
	{ "execveat", by_execveat },
	{ "spawn", by_spawn },
	{ "spawnp", by_spawnp },
	{ "vfork", by_vfork },
	{ "empty", by_empty_environment },
};

int main(int argc, char **argv)
{
	args = argv + 2;
	for (size_t i = 0; argc > 2 && i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(argv[1], ways[i].name) == 0)
			ways[i].run();
	}
	return 0;
}
