/*
 * phases.c - works on command. BUILD: -pthread -fno-builtin-malloc
 *
 * Reads lines from stdin; after each it prints "done USED GAP": the CPU time
 * that both threads used for it, and the longest that either saw pass between
 * two looks at its clock, in ns.
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

struct spent {
	long used, gap;
};

static inline __attribute__((always_inline)) long clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static inline __attribute__((always_inline)) struct spent spin(long ms)
{
	long start = clock_ns(), last = start, now, gap = 0;

	do {
		for (int i = 0; i < 2000; i++)
			sink += (unsigned long)i;
		now = clock_ns();
		if (now - last > gap)
			gap = now - last;
		last = now;
	} while (now - start < ms * 1000000L);
	return (struct spent){ now - start, gap };
}

#define WORK(x)                                                         \
	__attribute__((noinline)) static struct spent work_##x(long ms) \
	{                                                               \
		sink += __COUNTER__;                                    \
		held = malloc(1000);                                    \
		return spin(ms);                                        \
	}
WORK(a)
WORK(b)
WORK(c)

static struct spent work(char what, long ms)
{
	if (what == 'a')
		return work_a(ms);
	if (what == 'b')
		return work_b(ms);
	return work_c(ms);
}

static char task;
static long task_ms;
static struct spent others;
static sem_t begin, end;

/* Lives before, in and after each window. */
static void *other(void *unused)
{
	for (;;) {
		sem_wait(&begin);
		others = work(task, task_ms);
		sem_post(&end);
	}
	return unused;
}

static struct spent together(char what, long ms)
{
	struct spent mine;

	task = what;
	task_ms = ms;
	sem_post(&begin);
	mine = work(what, ms);
	sem_wait(&end);
	mine.used += others.used;
	if (others.gap > mine.gap)
		mine.gap = others.gap;
	return mine;
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
		struct spent s = { 0, 0 };

		if (line[0] == 'u')
			become((uid_t)atol(line + 2));
		else
			s = together(line[0], atol(line + 2));
		printf("done %ld %ld\n", s.used, s.gap);
		(void)fflush(stdout);
	}
	return 0;
}
