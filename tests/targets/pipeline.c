/*
 * pipeline.c - a threaded C program with a known answer: a queue, workers, a
 * collector. BUILD: -pthread
 *
 * pipeline WORKERS BLOCKS: prints one checksum a block, in order.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 32768
#define QUEUE 16

struct job {
	int number;
	uint32_t *data;
};

static struct job queue[QUEUE];
static int head, tail, closed;
static uint32_t *results;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;

static void put(struct job job)
{
	pthread_mutex_lock(&lock);
	while (tail - head == QUEUE)
		pthread_cond_wait(&not_full, &lock);
	queue[tail++ % QUEUE] = job;
	pthread_cond_signal(&not_empty);
	pthread_mutex_unlock(&lock);
}

static int take(struct job *ret)
{
	int got;

	pthread_mutex_lock(&lock);
	while (tail == head && !closed)
		pthread_cond_wait(&not_empty, &lock);
	got = tail > head;
	if (got)
		*ret = queue[head++ % QUEUE];
	pthread_cond_signal(&not_full);
	pthread_mutex_unlock(&lock);
	return got;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static __attribute__((noinline)) void sort_block(uint32_t *data)
{
	qsort(data, BLOCK, sizeof(*data), by_value);
	__asm__ volatile(""); /* no tail call: be seen on the stack */
}

static __attribute__((noinline)) uint32_t checksum(const uint32_t *data)
{
	uint32_t sum = 1;

	for (int i = 0; i < BLOCK; i++)
		sum = sum * 16777619u ^ data[i];
	return sum;
}

static __attribute__((noinline)) void *worker(void *arg)
{
	struct job job;

	while (take(&job)) {
		sort_block(job.data);
		results[job.number] = checksum(job.data);
		free(job.data);
	}
	return arg;
}

static uint32_t *fill(uint32_t seed)
{
	uint32_t *data = malloc(BLOCK * sizeof(*data));

	for (int i = 0; i < BLOCK; i++)
		data[i] = seed = seed * 1664525u + 1013904223u;
	return data;
}

int main(int argc, char **argv)
{
	int workers = argc > 1 ? atoi(argv[1]) : 4;
	int blocks = argc > 2 ? atoi(argv[2]) : 100;
	pthread_t *threads = calloc((size_t)workers, sizeof(*threads));

	results = calloc((size_t)blocks, sizeof(*results));
	for (int i = 0; i < workers; i++)
		pthread_create(&threads[i], NULL, worker, NULL);
	for (int i = 0; i < blocks; i++)
		put((struct job){ i, fill((uint32_t)i) });
	pthread_mutex_lock(&lock);
	closed = 1;
	pthread_cond_broadcast(&not_empty);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < workers; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < blocks; i++)
		printf("block %d: %08x\n", i, results[i]);
	free(results);
	free(threads);
	return 0;
}
