/*
 * rwlock.c - waits for read-write locks, and their release. As in mutex.c.
 *
 * Readers that hold the lock together share the blame for a waiting writer; the
 * last of them to let go is charged.
 */
#include "pp.h"

#include "thread_state.h"
#include "wait_hooks.h"
#include "waits.h"

/* Bits of __readers: pthread_rwlock_common.c of glibc since 2.25. */
#define WRITE_PHASE 1u
#define WRITER_WAITS_OR_HAS 2u
#define READER_WAITS 4u
#define READERS_SHIFT 3

static bool readers_wait(const pthread_rwlock_t *l)
{
	return (l->__data.__readers & WRITER_WAITS_OR_HAS) != 0;
}

/* A writer, or any reader: one test. */
static bool writers_wait(const pthread_rwlock_t *l)
{
	return (l->__data.__readers & ~(WRITE_PHASE | READER_WAITS)) != 0;
}

#define LOCK(name, params, args, if_taken)         \
	static PP_NOINLINE int name##_taken params \
	{                                          \
		struct wait w;                     \
		int result;                        \
                                                   \
		wait_begin(&w, WAIT_RWLOCK, l);    \
		result = real.name args;           \
		wait_end(&w, result == 0);         \
		return result;                     \
	}                                          \
	int wait_##name params                     \
	{                                          \
		if (pp_likely(!if_taken(l)))       \
			return real.name args;     \
		return name##_taken args;          \
	}

LOCK(pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l), readers_wait)
LOCK(pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l), writers_wait)
LOCK(pthread_rwlock_timedrdlock, RWLOCK_UNTIL, (l, until), readers_wait)
LOCK(pthread_rwlock_timedwrlock, RWLOCK_UNTIL, (l, until), writers_wait)
LOCK(pthread_rwlock_clockrdlock, RWLOCK_CLOCK, (l, clock, until), readers_wait)
LOCK(pthread_rwlock_clockwrlock, RWLOCK_CLOCK, (l, clock, until), writers_wait)

/* By a writer, or by the last reader. */
static bool is_let_go(const pthread_rwlock_t *l)
{
	const struct thread_state *t = thread_state_get();

	if (t && l->__data.__cur_writer == (int)t->tid)
		return true;
	return l->__data.__readers >> READERS_SHIFT == 1;
}

static PP_NOINLINE int unlock_awaited(pthread_rwlock_t *l)
{
	struct release r;
	int result;

	if (!is_let_go(l) || !release_begin(&r, l))
		return real.pthread_rwlock_unlock(l);
	result = real.pthread_rwlock_unlock(l);
	release_end(&r);
	return result;
}

int wait_pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	if (pp_likely(!release_awaited(l)))
		return real.pthread_rwlock_unlock(l);
	return unlock_awaited(l);
}
