/*
 * mutex.c - waits for mutexes of all types and protocols, and their release.
 *
 * A mutex that is free goes to the real function at once; whether it is free is
 * seen in its word, as glibc since 2.25 has it. That is a hint: the real
 * function decides, and what it returns is what the caller gets.
 *
 * The word is read before the real lock, when the caller must be sure that the
 * mutex exists, and before the real unlock. After that it is another's.
 *
 * Context: application threads at any moment.
 */
#include "pp.h"

#include <errno.h>

#include "arch.h"
#include "thread_state.h"
#include "wait_hooks.h"
#include "waits.h"

/* Bits of __kind: pthreadP.h of glibc. */
#define TYPE_MASK 3
#define RECURSIVE 1
#define ERRORCHECK 2
#define ROBUST 16
#define PRIO_INHERIT 32
#define PRIO_PROTECT 64

/* The part of the word that says who has it. */
static int word_mask(int kind)
{
	if (kind & PRIO_PROTECT)
		return 0x7ffff;
	return kind & (ROBUST | PRIO_INHERIT) ? 0x3fffffff : -1;
}

/* That of a robust one does not say after its owner's death; the word does. */
static bool is_ours(const pthread_mutex_t *m)
{
	const struct thread_state *t = thread_state_get();
	int kind = m->__data.__kind, owner = m->__data.__owner;

	if (kind & (ROBUST | PRIO_INHERIT))
		owner = m->__data.__lock & word_mask(kind);
	return t && owner == (int)t->tid;
}

/* Would locking it wait? Not if the caller has it already: a recursive one is
 * counted up, an error-checking one refused. */
static bool is_taken(const pthread_mutex_t *m)
{
	int kind = m->__data.__kind, type = kind & TYPE_MASK;

	if (!(m->__data.__lock & word_mask(kind)))
		return false;
	return (type != RECURSIVE && type != ERRORCHECK) || !is_ours(m);
}

/* A mutex whose owner has died is locked all the same. */
static bool is_got(int result)
{
	return result == 0 || result == EOWNERDEAD;
}

#define LOCK(name, params, args)                                \
	static PP_NOINLINE int name##_taken params              \
	{                                                       \
		struct wait w;                                  \
		int result;                                     \
                                                                \
		if (!is_taken(m))                               \
			return real.name args;                  \
		wait_begin(&w, WAIT_MUTEX, m);                  \
		result = real.name args;                        \
		wait_end(&w, is_got(result));                   \
		return result;                                  \
	}                                                       \
	int wait_##name params                                  \
	{                                                       \
		if (pp_likely(arch_is_zero(&m->__data.__lock))) \
			return real.name args;                  \
		return name##_taken args;                       \
	}

LOCK(pthread_mutex_lock, (pthread_mutex_t * m), (m))
LOCK(pthread_mutex_timedlock, MUTEX_UNTIL, (m, until))
LOCK(pthread_mutex_clocklock, MUTEX_CLOCK, (m, clock, until))
LOCK(mtx_lock, (pthread_mutex_t * m), (m))
LOCK(mtx_timedlock, MUTEX_UNTIL, (m, until))

bool mutex_is_let_go(const pthread_mutex_t *m)
{
	int kind = m->__data.__kind, type = kind & TYPE_MASK;

	if (type == RECURSIVE && m->__data.__count != 1)
		return false;
	return (type != RECURSIVE && type != ERRORCHECK && !(kind & ROBUST)) ||
	       is_ours(m);
}

#define UNLOCK(name)                                              \
	static PP_NOINLINE int name##_awaited(pthread_mutex_t *m) \
	{                                                         \
		struct release r;                                 \
		int result;                                       \
                                                                  \
		if (!mutex_is_let_go(m) || !release_begin(&r, m)) \
			return real.name(m);                      \
		result = real.name(m);                            \
		release_end(&r);                                  \
		return result;                                    \
	}                                                         \
	int wait_##name(pthread_mutex_t *m)                       \
	{                                                         \
		if (pp_likely(!release_awaited(m)))               \
			return real.name(m);                      \
		return name##_awaited(m);                         \
	}

UNLOCK(pthread_mutex_unlock)
UNLOCK(mtx_unlock)
