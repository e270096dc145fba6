/*
 * waiting.h - for targets that wait: each function's own account of how long
 * and how often it waited.
 */
#ifndef WAITING_H
#define WAITING_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "target.h"

#define TARGET_NOINLINE __attribute__((noinline, noclone))

#define EXPECT(condition)                                                  \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#condition);                               \
			exit(1);                                           \
		}                                                          \
	} while (0)

static struct waited {
	const char *name;
	_Atomic int64_t ns, count;
} waited_list[64];

static inline int64_t waiting_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Names are literals of one program: equal names, equal places, or nearly. */
static inline void waiting_add(const char *name, int64_t ns)
{
	static _Atomic int busy;
	struct waited *w = waited_list;

	while (busy++)
		busy--;
	while (w->name && strcmp(w->name, name) != 0)
		w++;
	w->name = name;
	busy--;
	w->ns += ns;
	w->count++;
}

/* Wait in `function`, and write it down. */
#define WAITED(function, call)                                          \
	do {                                                            \
		int64_t began_ = waiting_now();                         \
                                                                        \
		call;                                                   \
		waiting_add(#function, waiting_now() - began_);         \
		__asm__ volatile("" : : : "memory"); /* no tail call */ \
	} while (0)

static inline void print_waited(void)
{
	for (struct waited *w = waited_list; w->name; w++) {
		printf("block %s %lld\n", w->name, (long long)w->ns);
		printf("count %s %lld\n", w->name, (long long)w->count);
	}
}

static inline struct timespec after_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* A pause by the clock. */
static inline void pause_ms(long ms)
{
	int64_t end = waiting_now() + ms * 1000000;
	struct timespec t = { 0, 200000 };

	while (waiting_now() < end)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static inline void run_threads(int n, void *(*f)(void *))
{
	pthread_t t[64];

	for (int i = 0; i < n; i++)
		EXPECT(pthread_create(&t[i], NULL, f, NULL) == 0);
	for (int i = 0; i < n; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

#endif
