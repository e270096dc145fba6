/*
 * libbusy.c - preloaded, so that its constructor runs before ours: four threads
 * that allocate all the time, until the program ends.
 * BUILD: -fno-builtin -pthread
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long rounds;

static void *work(void *unused)
{
	for (;;) {
		void *p = malloc(48);

		p = realloc(p, 100);
		free(calloc(3, 5));
		free(p);
		atomic_fetch_add(&rounds, 1);
	}
	return unused;
}

static __attribute__((constructor)) void start(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&t, NULL, work, NULL) != 0)
			abort();
	while (atomic_load(&rounds) < 100)
		; /* they are at work */
}
