/*
 * spawn.c - microseconds from posix_spawn to the end of a program, in several
 * environments: the mean of the fastest quarter of N, and the median.
 *
 * spawn N [NAME=VALUE...] [, [NAME=VALUE...]]... -- PROGRAM [ARGUMENT...]
 *   The variables are added to the program's environment, not to ours. After
 *   each comma another environment begins. They take turns, run by run, so
 *   that a change of the machine's mood meets all of them. One line for each.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define ENV_MAX 256
#define VARIANTS_MAX 16

extern char **environ;

struct variant {
	char *env[ENV_MAX];
	int used;
	int64_t *ns;
};

static struct variant variants[VARIANTS_MAX];

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

static double fastest_quarter(const int64_t *ascending_ns, int n)
{
	int k = n / 4 > 0 ? n / 4 : 1;
	double sum = 0;

	for (int i = 0; i < k; i++)
		sum += (double)ascending_ns[i];
	return sum / k;
}

/* How many environments there are. */
static int read_variants(char **words)
{
	int k = 0;

	for (; *words && strcmp(*words, "--") != 0; words++) {
		struct variant *v = &variants[k];

		if (strcmp(*words, ",") == 0 && ++k >= VARIANTS_MAX)
			exit(2);
		else if (strcmp(*words, ",") != 0 && v->used < ENV_MAX / 2)
			v->env[v->used++] = *words;
	}
	return k + 1;
}

static void complete(struct variant *v, int n)
{
	for (char **e = environ; *e && v->used < ENV_MAX - 1; e++)
		v->env[v->used++] = *e;
	v->ns = calloc((size_t)n + 1, sizeof(*v->ns));
	if (!v->ns)
		exit(2);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0, k, program = 2;

	while (program < argc && strcmp(argv[program], "--") != 0)
		program++;
	if (program + 1 >= argc || n < 1)
		return 2;
	k = read_variants(argv + 2);
	for (int i = 0; i < k; i++)
		complete(&variants[i], n);
	for (int round = 0; round < n; round++)
		for (int i = 0; i < k; i++)
			variants[i].ns[round] = once(
				argv + program + 1, variants[i].env);
	for (int i = 0; i < k; i++) {
		int64_t *ns = variants[i].ns;

		qsort(ns, (size_t)n, sizeof(*ns), ascending);
		printf("%.1f %.1f\n", fastest_quarter(ns, n) / 1e3,
			(double)ns[n / 2] / 1e3);
	}
	return 0;
}
