/*
 * spawn.c - microseconds from posix_spawn to the end of a program, the least
 * and the median of N.
 *
 * spawn N [NAME=VALUE...] -- PROGRAM [ARGUMENT...]
 *   The variables are added to the program's environment, not to ours.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define ENV_MAX 256

extern char **environ;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t once(char **argv, char **env)
{
	int64_t start = now();
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, env) != 0 ||
		waitpid(pid, NULL, 0) != pid)
		exit(2);
	return now() - start;
}

int main(int argc, char **argv)
{
	static char *env[ENV_MAX];
	int n = argc > 1 ? atoi(argv[1]) : 0, used = 0, i = 2;
	int64_t *ns = calloc((size_t)n + 1, sizeof(*ns));

	for (; i < argc && strcmp(argv[i], "--") != 0 && used < ENV_MAX / 2;
		i++)
		env[used++] = argv[i];
	for (char **e = environ; *e && used < ENV_MAX - 1; e++)
		env[used++] = *e;
	if (i + 1 >= argc || n < 1)
		return 2;
	for (int k = 0; k < n; k++)
		ns[k] = once(argv + i + 1, env);
	qsort(ns, (size_t)n, sizeof(*ns), ascending);
	printf("%.1f %.1f\n", (double)ns[0] / 1e3, (double)ns[n / 2] / 1e3);
	return 0;
}
