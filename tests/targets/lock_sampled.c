/* BUILD: -pthread
 *
 * lock_sampled.c - many waits for one mutex, each by one thread and for one
 * other; prints each by the program's own clock: what estimates from some of
 * them are measured by.
 *
 * lock_sampled SEEDS ROUNDS SHORT_NS LONG_NS: SEEDS pairs of threads, one after
 * the other and named seed0, seed1 ..., hand the mutex over ROUNDS times
 * after holding it for 0.2 to 1.8 times SHORT_NS (short_holder() to
 * short_wanter()) and as often for LONG_NS. Prints "SEED short|long NS" for
 * each wait and "elapsed NS".
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "waiting.h"

enum { SHORT, LONG, KINDS };
static const char *const kind_names[KINDS] = { "short", "long" };

static long rounds, hold_ns[KINDS];
static int seed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic long asked, coming, done;
static int64_t *waited[KINDS];

static void await(_Atomic long *counter, long n)
{
	while (*counter < n)
		sched_yield();
}

/* Lengths have nothing to do with what the library draws. */
static int64_t length_of(int kind)
{
	static uint64_t random = 1;

	random = random * 6364136223846793005u + 1442695040888963407u;
	return hold_ns[kind] / 5 +
	       (int64_t)((random >> 33) * (uint64_t)hold_ns[kind] / 5 * 8 >>
			 31);
}

/*
 * Until it is time, and somebody waits. There are two threads: who waits has
 * been through the hook when glibc has marked the mutex, so every wait is one,
 * and nothing else is. The time begins before that: else a wait whose stack is
 * walked would be longer than the others for which it stands.
 */
static void hold_until(int64_t end)
{
	while (waiting_now() < end)
		;
	while (*(volatile int *)&mutex.__data.__lock != 2)
		sched_yield();
}

static TARGET_NOINLINE void let_go(void)
{
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	__asm__ volatile("" : : : "memory"); /* no tail call */
}

#define HANDING_OVER(kind, KIND)                                         \
	static TARGET_NOINLINE void kind##_holder(void)                  \
	{                                                                \
		EXPECT(pthread_mutex_lock(&mutex) == 0);                 \
		await(&coming, ++asked);                                 \
		hold_until(waiting_now() + length_of(KIND));             \
		let_go();                                                \
		__asm__ volatile("" : : : "memory");                     \
	}                                                                \
                                                                         \
	static TARGET_NOINLINE void kind##_wanter(long i)                \
	{                                                                \
		int64_t began = waiting_now();                           \
                                                                         \
		coming++;                                                \
		EXPECT(pthread_mutex_lock(&mutex) == 0);                 \
		waited[KIND][seed * rounds + i] = waiting_now() - began; \
		EXPECT(pthread_mutex_unlock(&mutex) == 0);               \
		done++;                                                  \
	}
HANDING_OVER(short, SHORT)
HANDING_OVER(long, LONG)

static void set_name(void)
{
	char name[16];

	snprintf(name, sizeof(name), "seed%d", seed);
	EXPECT(pthread_setname_np(pthread_self(), name) == 0);
}

static void *hold_often(void *unused)
{
	set_name();
	for (long i = 0; i < rounds; i++) {
		short_holder();
		await(&done, 2 * i + 1);
		long_holder();
		await(&done, 2 * i + 2);
	}
	return unused;
}

static void *want_often(void *unused)
{
	set_name();
	for (long i = 0; i < rounds; i++) {
		await(&asked, 2 * i + 1);
		short_wanter(i);
		await(&asked, 2 * i + 2);
		long_wanter(i);
	}
	return unused;
}

static void run_seed(void)
{
	pthread_t holder, wanter;

	asked = coming = done = 0;
	EXPECT(pthread_create(&holder, NULL, hold_often, NULL) == 0);
	EXPECT(pthread_create(&wanter, NULL, want_often, NULL) == 0);
	EXPECT(pthread_join(holder, NULL) == 0);
	EXPECT(pthread_join(wanter, NULL) == 0);
}

static void print_kind(int kind, int seeds)
{
	for (long i = 0; i < seeds * rounds; i++)
		printf("seed%ld %s %lld\n", i / rounds, kind_names[kind],
			(long long)waited[kind][i]);
}

int main(int argc, char **argv)
{
	int seeds = argc == 5 ? atoi(argv[1]) : 0;
	int64_t began;

	EXPECT(seeds > 0);
	rounds = atol(argv[2]);
	for (int kind = 0; kind < KINDS; kind++) {
		hold_ns[kind] = atol(argv[3 + kind]);
		waited[kind] = calloc(
			(size_t)(seeds * rounds), sizeof(*waited[kind]));
		EXPECT(waited[kind] != NULL);
	}
	began = waiting_now();
	for (seed = 0; seed < seeds; seed++)
		run_seed();
	printf("elapsed %lld\n", (long long)(waiting_now() - began));
	for (int kind = 0; kind < KINDS; kind++)
		print_kind(kind, seeds);
	return 0;
}
