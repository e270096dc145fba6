/* BUILD: -pthread
 *
 * lock_truth.c - waits for locks of known length, in stacks of known names.
 * Prints what the program itself measured: "block NAME ns" for the functions
 * that waited, "count NAME n" how often.
 *
 * lock_truth TEST...: one after the other.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "waiting.h"

#define MS 1000000l
#define HOLD_MS 100
#define WAITERS 3

/* In memory that may be shared between processes. */
static struct shared {
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
} * shared;

pthread_mutex_t truth_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t *mutex = &truth_mutex;

/* --- several that want, one that holds ------------------------------------ */

static TARGET_NOINLINE void mutex_wanter(void)
{
	int got;

	WAITED(mutex_wanter, got = pthread_mutex_lock(mutex));
	EXPECT(got == 0);
	EXPECT(pthread_mutex_unlock(mutex) == 0);
}

static void *want_mutex(void *unused)
{
	mutex_wanter();
	return unused;
}

static TARGET_NOINLINE void mutex_holder(void *(*want)(void *))
{
	pthread_t threads[WAITERS];

	EXPECT(pthread_mutex_lock(mutex) == 0);
	for (int i = 0; i < WAITERS; i++)
		EXPECT(pthread_create(&threads[i], NULL, want, NULL) == 0);
	pause_ms(HOLD_MS);
	EXPECT(pthread_mutex_unlock(mutex) == 0);
	for (int i = 0; i < WAITERS; i++)
		EXPECT(pthread_join(threads[i], NULL) == 0);
}

static void mutex_of(int type, int protocol, int robust, int is_shared)
{
	pthread_mutexattr_t a;

	EXPECT(pthread_mutexattr_init(&a) == 0);
	EXPECT(pthread_mutexattr_settype(&a, type) == 0);
	EXPECT(pthread_mutexattr_setprotocol(&a, protocol) == 0);
	EXPECT(pthread_mutexattr_setrobust(&a, robust) == 0);
	EXPECT(pthread_mutexattr_setpshared(&a, is_shared) == 0);
	mutex = &shared->mutex;
	EXPECT(pthread_mutex_init(mutex, &a) == 0);
	mutex_holder(want_mutex);
	EXPECT(pthread_mutex_destroy(mutex) == 0);
	mutex = &truth_mutex;
}

#define PRIVATE PTHREAD_PROCESS_PRIVATE
#define MUTEX_OF(name, type, protocol, robust, is_shared)               \
	static void name(void)                                          \
	{                                                               \
		mutex_of(PTHREAD_MUTEX_##type, PTHREAD_PRIO_##protocol, \
			PTHREAD_MUTEX_##robust, is_shared);             \
	}
MUTEX_OF(normal, NORMAL, NONE, STALLED, PRIVATE)
MUTEX_OF(recursive, RECURSIVE, NONE, STALLED, PRIVATE)
MUTEX_OF(errorcheck, ERRORCHECK, NONE, STALLED, PRIVATE)
MUTEX_OF(adaptive, ADAPTIVE_NP, NONE, STALLED, PRIVATE)
MUTEX_OF(robust, NORMAL, NONE, ROBUST, PRIVATE)
MUTEX_OF(inherit, NORMAL, INHERIT, STALLED, PRIVATE)
MUTEX_OF(robust_inherit, RECURSIVE, INHERIT, ROBUST, PRIVATE)
MUTEX_OF(process_shared, NORMAL, NONE, STALLED, PTHREAD_PROCESS_SHARED)

static void statically(void)
{
	mutex_holder(want_mutex);
}

/* --- locked more than once: only the last unlock lets others go on -------- */

static TARGET_NOINLINE void inner_unlock(void)
{
	EXPECT(pthread_mutex_unlock(mutex) == 0);
}

static TARGET_NOINLINE void outer_unlock(void)
{
	EXPECT(pthread_mutex_unlock(mutex) == 0);
}

static void nested(void)
{
	static pthread_mutex_t m = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	pthread_t t;

	mutex = &m;
	EXPECT(pthread_mutex_lock(mutex) == 0);
	EXPECT(pthread_mutex_lock(mutex) == 0);
	EXPECT(pthread_create(&t, NULL, want_mutex, NULL) == 0);
	pause_ms(HOLD_MS);
	inner_unlock();
	pause_ms(HOLD_MS);
	outer_unlock();
	EXPECT(pthread_join(t, NULL) == 0);
	mutex = &truth_mutex;
}

/* --- a convoy: each waits for all others ---------------------------------- */

static TARGET_NOINLINE void convoy_step(void)
{
	WAITED(convoy_step, EXPECT(pthread_mutex_lock(mutex) == 0));
	pause_ms(2);
	EXPECT(pthread_mutex_unlock(mutex) == 0);
}

static void *convoy_thread(void *unused)
{
	for (int i = 0; i < 20; i++) {
		convoy_step();
		pause_ms(1);
	}
	return unused;
}

static void convoy(void)
{
	run_threads(4, convoy_thread);
}

/* --- waits that are given up ---------------------------------------------- */

static TARGET_NOINLINE void timed_wanter(void)
{
	struct timespec until;
	int got;

	until = after_ms(CLOCK_REALTIME, 10);
	WAITED(timed_wanter, got = pthread_mutex_timedlock(mutex, &until));
	EXPECT(got == ETIMEDOUT);
	until = after_ms(CLOCK_MONOTONIC, 10);
	WAITED(timed_wanter,
		got = pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until));
	EXPECT(got == ETIMEDOUT);
}

static void *want_in_time(void *unused)
{
	timed_wanter();
	return unused;
}

static TARGET_NOINLINE void timed_holder(void)
{
	EXPECT(pthread_mutex_lock(mutex) == 0);
	run_threads(WAITERS, want_in_time);
	EXPECT(pthread_mutex_unlock(mutex) == 0);
}

/* --- read-write locks ----------------------------------------------------- */

static pthread_rwlock_t truth_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t readers_in;

static TARGET_NOINLINE void rw_reader(void)
{
	WAITED(rw_reader, EXPECT(pthread_rwlock_rdlock(&truth_rwlock) == 0));
	EXPECT(pthread_rwlock_unlock(&truth_rwlock) == 0);
}

static TARGET_NOINLINE void rw_writer(void)
{
	WAITED(rw_writer, EXPECT(pthread_rwlock_wrlock(&truth_rwlock) == 0));
	EXPECT(pthread_rwlock_unlock(&truth_rwlock) == 0);
}

static void *want_to_read(void *unused)
{
	rw_reader();
	return unused;
}

static void *want_to_write(void *unused)
{
	rw_writer();
	return unused;
}

static TARGET_NOINLINE void read_holder(void)
{
	EXPECT(pthread_rwlock_rdlock(&truth_rwlock) == 0);
	pthread_barrier_wait(&readers_in);
	pause_ms(HOLD_MS);
	EXPECT(pthread_rwlock_unlock(&truth_rwlock) == 0);
}

static TARGET_NOINLINE void last_read_holder(void)
{
	EXPECT(pthread_rwlock_rdlock(&truth_rwlock) == 0);
	pthread_barrier_wait(&readers_in);
	pause_ms(2 * HOLD_MS);
	EXPECT(pthread_rwlock_unlock(&truth_rwlock) == 0);
}

static void *hold_reading(void *unused)
{
	read_holder();
	return unused;
}

static void *hold_reading_longest(void *unused)
{
	last_read_holder();
	return unused;
}

/* A writer behind three readers, of which one stays longest. */
static void writer_behind_readers(void)
{
	pthread_t t[4];

	EXPECT(pthread_barrier_init(&readers_in, NULL, 4) == 0);
	for (int i = 0; i < 2; i++)
		EXPECT(pthread_create(&t[i], NULL, hold_reading, NULL) == 0);
	EXPECT(pthread_create(&t[2], NULL, hold_reading_longest, NULL) == 0);
	pthread_barrier_wait(&readers_in);
	EXPECT(pthread_create(&t[3], NULL, want_to_write, NULL) == 0);
	for (int i = 0; i < 4; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

static TARGET_NOINLINE void write_holder(void)
{
	pthread_t t[WAITERS];

	EXPECT(pthread_rwlock_wrlock(&truth_rwlock) == 0);
	for (int i = 0; i < WAITERS; i++)
		EXPECT(pthread_create(&t[i], NULL, want_to_read, NULL) == 0);
	pause_ms(HOLD_MS);
	EXPECT(pthread_rwlock_unlock(&truth_rwlock) == 0);
	for (int i = 0; i < WAITERS; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

/* --- locks nobody waits for ----------------------------------------------- */

static void uncontended(void)
{
	for (int i = 0; i < 100000; i++) {
		EXPECT(pthread_mutex_lock(mutex) == 0);
		EXPECT(pthread_mutex_unlock(mutex) == 0);
	}
}

static const struct target_test tests[] = { { "normal", normal },
	{ "recursive", recursive }, { "errorcheck", errorcheck },
	{ "adaptive", adaptive }, { "robust", robust }, { "inherit", inherit },
	{ "robust_inherit", robust_inherit },
	{ "process_shared", process_shared }, { "statically", statically },
	{ "nested", nested }, { "convoy", convoy }, { "timed", timed_holder },
	{ "writer_behind_readers", writer_behind_readers },
	{ "readers_behind_writer", write_holder },
	{ "uncontended", uncontended } };

int main(int argc, char **argv)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(shared != MAP_FAILED);
	for (; argc > 1; argc--, argv++)
		TARGET_RUN(tests, argc, argv);
	print_waited();
	return 0;
}
