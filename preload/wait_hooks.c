/*
 * wait_hooks.c - where calls that wait, or release a lock, arrive; see
 * wait_hooks.h. All are jumps.
 *
 * Context: application threads at any moment, and those that are hooked for
 * io, poll and sleep also in the application's signal handlers.
 */
#include "pp.h"

#include "lock_table.h"
#include "patient.h"
#include "process.h"
#include "signal_uses.h"
#include "wait_hooks.h"
#include "waits.h"

/* A stub of real.c would look its function up at each call. */
static bool is_known(const void *function)
{
	return process.text_hi != 0 &&
	       (uintptr_t)function - process.text_lo >=
		       process.text_hi - process.text_lo;
}

/* Where every way begins: the real function, which most programs find by their
 * first calls and not when they start, until that is known. */
#define FIRST_WAY(result, name, params, args)                                \
	static result first_##name params                                    \
	{                                                                    \
		result(*first) params = first_##name;                        \
                                                                             \
		if (is_known((const void *)real.name))                       \
			(void)__atomic_compare_exchange_n(&way.name, &first, \
				real.name, false, __ATOMIC_SEQ_CST,          \
				__ATOMIC_SEQ_CST);                           \
		return real.name args;                                       \
	}
REAL_WAITS(FIRST_WAY)
WAITS_MASKED(FIRST_WAY)
REAL_UNLOCKS(FIRST_WAY)

#define FIRST(result, name, params, args) .name = first_##name,
struct way way = { REAL_WAITS(FIRST) WAITS_MASKED(FIRST) REAL_UNLOCKS(FIRST) };

#define LEAD_PATIENTLY(result, name, params, args) \
	__atomic_store_n(&way.name, patient_##name, __ATOMIC_SEQ_CST);

#define HOOK(result, name, params, args) \
	PP_EXPORT result name params     \
	{                                \
		return way.name args;    \
	}
REAL_WAITS(HOOK)
REAL_UNLOCKS(HOOK)

#define LEAD_HERE(result, name, params, args) \
	__atomic_store_n(&way.name, wait_##name, __ATOMIC_SEQ_CST);
#define LEAD_AWAY(result, name, params, args)                                 \
	__atomic_store_n(&way.name,                                           \
		is_known((const void *)real.name) ? real.name : first_##name, \
		__ATOMIC_SEQ_CST);

static bool anybody_waits(void)
{
	return atomic_load(&process_wiped.locks.waiting) != 0;
}

/* Whoever changes the answer comes here; after the last of them the ways are as
 * the answer is. */
static void set_unlock_ways(void)
{
	bool awaited;

	do {
		awaited = anybody_waits();
		if (awaited) {
			REAL_UNLOCKS(LEAD_HERE)
		} else {
			REAL_UNLOCKS(LEAD_AWAY)
		}
	} while (awaited != anybody_waits());
}

#define LEAD_WANTED(class, list)           \
	do {                               \
		if (waits_wanted(class)) { \
			list(LEAD_HERE)    \
		}                          \
	} while (0)

void wait_hooks_start(void)
{
	if (signal_askers()) {
		WAITS_PATIENT(LEAD_PATIENTLY)
	}
	LEAD_WANTED(WAIT_MUTEX, WAITS_MUTEX);
	LEAD_WANTED(WAIT_RWLOCK, WAITS_RWLOCK);
	LEAD_WANTED(WAIT_COND, WAITS_COND);
	LEAD_WANTED(WAIT_SEM, WAITS_SEM);
	LEAD_WANTED(WAIT_BARRIER, WAITS_BARRIER);
	LEAD_WANTED(WAIT_JOIN, WAITS_JOIN);
	LEAD_WANTED(WAIT_ONCE, WAITS_ONCE);
	LEAD_WANTED(WAIT_SLEEP, WAITS_SLEEP);
	LEAD_WANTED(WAIT_POLL, WAITS_POLL);
	LEAD_WANTED(WAIT_POLL, WAITS_MASKED);
	LEAD_WANTED(WAIT_IO, WAITS_IO);
	/* Nobody has waited yet. */
	lock_table_changed = set_unlock_ways;
}
