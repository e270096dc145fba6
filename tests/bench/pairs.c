/*
 * pairs.c - one operation, many times: ns for each, the best batch of several.
 *
 * pairs malloc BATCHES N        malloc(48) and free
 * pairs lock BATCHES N          uncontended lock and unlock
 * pairs deep BATCHES N DEPTH SIZE
 *                               malloc(SIZE) below DEPTH frames; freed
 *                               afterwards and not timed
 * pairs idle                    resident KiB after a little work and a pause
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long n, depth;
static size_t size = 48;
static void **kept;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
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

int main(int argc, char **argv)
{
	int64_t (*batch)(void) = malloc_batch;
	int64_t best = INT64_MAX;

	if (argc > 1 && strcmp(argv[1], "idle") == 0)
		return idle();
	if (argc < 4)
		return 2;
	n = atol(argv[3]);
	depth = argc > 4 ? atol(argv[4]) : 0;
	if (argc > 5)
		size = (size_t)atol(argv[5]);
	if (strcmp(argv[1], "lock") == 0)
		batch = lock_batch;
	if (strcmp(argv[1], "deep") == 0) {
		batch = deep_batch;
		kept = calloc((size_t)n, sizeof(*kept));
	}
	for (int i = atoi(argv[2]); i > 0; i--) {
		int64_t ns = batch();

		best = ns < best ? ns : best;
	}
	printf("%.3f\n", (double)best / (double)n);
	return 0;
}
