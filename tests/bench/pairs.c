/*
 * pairs.c - one operation, many times: ns for each, the best batch of several.
 *
 * pairs malloc BATCHES N        malloc(48) and free
 * pairs lock BATCHES N          uncontended lock and unlock
 * pairs rdlock BATCHES N        the same of a read-write lock, to read
 * pairs wrlock BATCHES N        and to write
 * pairs signal BATCHES N        a condition signalled that nobody waits for
 * pairs label BATCHES N         a label set
 * pairs handoff BATCHES N       a mutex given to a thread that waits for it;
 *                               all the time that passes, not this thread's
 * pairs deep BATCHES N DEPTH SIZE
 *                               malloc(SIZE) below DEPTH frames; freed
 *                               afterwards and not timed
 * pairs idle                    resident KiB after a little work and a pause
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pprofc.h"

static long n, depth;
static size_t size = 48;
static void **kept;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static int64_t now_by(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t now(void)
{
	return now_by(CLOCK_THREAD_CPUTIME_ID);
}

static inline void used(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static int64_t malloc_batch(void)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		void *p = malloc(48);

		used(p);
		free(p);
	}
	return now() - start;
}

static int64_t lock_batch(void)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	return now() - start;
}

#define BATCH(name, ...)                       \
	static int64_t name##_batch(void)      \
	{                                      \
		int64_t start = now();         \
                                               \
		for (long i = 0; i < n; i++) { \
			__VA_ARGS__;           \
		}                              \
		return now() - start;          \
	}
BATCH(rdlock, pthread_rwlock_rdlock(&rwlock); pthread_rwlock_unlock(&rwlock))
BATCH(wrlock, pthread_rwlock_wrlock(&rwlock); pthread_rwlock_unlock(&rwlock))
BATCH(signal, pthread_cond_signal(&cond))
BATCH(label, pprofc_label_set("request", i % 2 ? "checkout" : "search"))

static _Atomic long asked, given;

static void *take_it(void *unused)
{
	for (long i = 0; i < n; i++) {
		while (asked <= i)
			sched_yield();
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		given++;
	}
	return unused;
}

/* The other one waits when glibc has marked the mutex. */
static int64_t handoff_batch(void)
{
	pthread_t taker;
	int64_t start;

	asked = given = 0;
	if (pthread_create(&taker, NULL, take_it, NULL) != 0)
		exit(1);
	start = now_by(CLOCK_MONOTONIC);
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&mutex);
		asked++;
		while (*(volatile int *)&mutex.__data.__lock != 2)
			sched_yield();
		pthread_mutex_unlock(&mutex);
		while (given <= i)
			sched_yield();
	}
	start = now_by(CLOCK_MONOTONIC) - start;
	pthread_join(taker, NULL);
	return start;
}

static __attribute__((noinline)) int64_t descend(long left)
{
	int64_t start;

	if (left > 0) {
		start = descend(left - 1);
		used(&start); /* no tail call */
		return start;
	}
	start = now();
	for (long i = 0; i < n; i++)
		kept[i] = malloc(size);
	return now() - start;
}

static int64_t deep_batch(void)
{
	int64_t ns = descend(depth);

	for (long i = 0; i < n; i++)
		free(kept[i]);
	return ns;
}

static int idle(void)
{
	struct timespec pause = { 0, 100000000 };
	char line[256];
	FILE *f;

	for (int i = 0; i < 3000; i++)
		used(malloc(1000));
	nanosleep(&pause, NULL);
	f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "VmRSS:", 6) == 0)
			printf("%ld\n", strtol(line + 6, NULL, 10));
	return 0;
}

static const struct {
	const char *name;
	int64_t (*batch)(void);
} modes[] = { { "malloc", malloc_batch }, { "lock", lock_batch },
	{ "rdlock", rdlock_batch }, { "wrlock", wrlock_batch },
	{ "signal", signal_batch }, { "label", label_batch },
	{ "handoff", handoff_batch }, { "deep", deep_batch } };

int main(int argc, char **argv)
{
	int64_t (*batch)(void) = NULL;
	int64_t best = INT64_MAX;

	if (argc > 1 && strcmp(argv[1], "idle") == 0)
		return idle();
	for (size_t i = 0; argc > 3 && i < sizeof(modes) / sizeof(*modes);
		i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			batch = modes[i].batch;
	}
	if (!batch)
		return 2;
	n = atol(argv[3]);
	depth = argc > 4 ? atol(argv[4]) : 0;
	if (argc > 5)
		size = (size_t)atol(argv[5]);
	if (batch == deep_batch)
		kept = calloc((size_t)n, sizeof(*kept));
	for (int i = atoi(argv[2]); i > 0; i--) {
		int64_t ns = batch();

		best = ns < best ? ns : best;
	}
	printf("%.3f\n", (double)best / (double)n);
	return 0;
}
