/*
 * liblast.c - a library preloaded behind ours. Its constructor runs before
 * ours, its destructor after ours. BUILD: -pthread -fno-builtin-malloc
 */
#include <pthread.h>
#include "hostile.h"

static void *thread(void *unused)
{
	churn(200);
	burn(5);
	return unused;
}

static void work(void)
{
	pthread_t t;

	churn(500);
	burn(5);
	MUST(pthread_create(&t, NULL, thread, NULL) == 0);
	MUST(pthread_join(t, NULL) == 0);
	for (int i = 0; i < 64; i++)
		free(malloc((size_t)i << 12));
}

static __attribute__((constructor)) void first(void)
{
	work();
}

static __attribute__((destructor)) void last(void)
{
	work();
}
