/*
 * phases.c - works on command. BUILD: -pthread -fno-builtin-malloc
 *
 * Reads lines from stdin; after each it prints "done".
 *   a, b, c MS     main and one other thread each use MS ms of CPU time in
 *                  work_a, work_b or work_c; 1000 bytes stay held by it
 *   u ID           give up root's rights for those of ID
 * Ends at the end of the input.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;
static void *volatile held;

static inline __attribute__((always_inline)) void spin(long ms)
{
	struct timespec t;
	long end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
	do {
		for (int i = 0; i < 2000; i++)
			sink += (unsigned long)i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < end);
}

#define WORK(x)                                                 \
	__attribute__((noinline)) static void work_##x(long ms) \
	{                                                       \
		sink += __COUNTER__;                            \
		held = malloc(1000);                            \
		spin(ms);                                       \
	}
WORK(a)
WORK(b)
WORK(c)

static void work(char what, long ms)
{
	if (what == 'a')
		work_a(ms);
	else if (what == 'b')
		work_b(ms);
	else
		work_c(ms);
}

static char task;
static long task_ms;
static sem_t begin, end;

/* Lives before, in and after each window. */
static void *other(void *unused)
{
	for (;;) {
		sem_wait(&begin);
		work(task, task_ms);
		sem_post(&end);
	}
	return unused;
}

static void together(char what, long ms)
{
	task = what;
	task_ms = ms;
	sem_post(&begin);
	work(what, ms);
	sem_wait(&end);
}

static void become(uid_t id)
{
	if (setgid(id) != 0 || setuid(id) != 0)
		exit(1);
}

int main(void)
{
	char line[64];
	pthread_t t;

	sem_init(&begin, 0, 0);
	sem_init(&end, 0, 0);
	pthread_create(&t, NULL, other, NULL);
	while (fgets(line, sizeof(line), stdin)) {
		if (line[0] == 'u')
			become((uid_t)atol(line + 2));
		else
			together(line[0], atol(line + 2));
		printf("done\n");
		(void)fflush(stdout);
	}
	return 0;
}
