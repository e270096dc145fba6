/*
 * wait_hooks.c - where calls that wait, or release a lock, arrive; see
 * wait_hooks.h. All are jumps.
 *
 * Context: application threads at any moment, and those that are hooked for
 * io, poll and sleep also in the application's signal handlers.
 */
#include "pp.h"

#include "lock_table.h"
#include "process.h"
#include "wait_hooks.h"
#include "waits.h"

/* Until the constructor has run, and where real.NAME is still a stub. */
#define FIRST_WAY(result, name, params, args) \
	static result first_##name params     \
	{                                     \
		return real.name args;        \
	}
REAL_WAITS(FIRST_WAY)
WAITS_MASKED(FIRST_WAY)
REAL_UNLOCKS(FIRST_WAY)

#define FIRST(result, name, params, args) .name = first_##name,
struct way way = { REAL_WAITS(FIRST) WAITS_MASKED(FIRST) REAL_UNLOCKS(FIRST) };

#define HOOK(result, name, params, args) \
	PP_EXPORT result name params     \
	{                                \
		return way.name args;    \
	}
REAL_WAITS(HOOK)
REAL_UNLOCKS(HOOK)

/* A stub of real.c would look its function up at each call. */
static bool is_stub(const void *function)
{
	return (uintptr_t)function - process.text_lo <
	       process.text_hi - process.text_lo;
}

#define LEAD_AWAY(result, name, params, args)                                \
	__atomic_store_n(&way.name,                                          \
		is_stub((const void *)real.name) ? first_##name : real.name, \
		__ATOMIC_SEQ_CST);
#define LEAD_HERE(result, name, params, args) \
	__atomic_store_n(&way.name, wait_##name, __ATOMIC_SEQ_CST);
#define LEAD(list, here)                \
	do {                            \
		if (here) {             \
			list(LEAD_HERE) \
		} else {                \
			list(LEAD_AWAY) \
		}                       \
	} while (0)

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
		LEAD(REAL_UNLOCKS, awaited);
	} while (awaited != anybody_waits());
}

void wait_hooks_start(void)
{
	LEAD(WAITS_MUTEX, waits_wanted(WAIT_MUTEX));
	LEAD(WAITS_RWLOCK, waits_wanted(WAIT_RWLOCK));
	LEAD(WAITS_COND, waits_wanted(WAIT_COND));
	LEAD(WAITS_SEM, waits_wanted(WAIT_SEM));
	LEAD(WAITS_BARRIER, waits_wanted(WAIT_BARRIER));
	LEAD(WAITS_JOIN, waits_wanted(WAIT_JOIN));
	LEAD(WAITS_ONCE, waits_wanted(WAIT_ONCE));
	LEAD(WAITS_SLEEP, waits_wanted(WAIT_SLEEP));
	LEAD(WAITS_POLL, waits_wanted(WAIT_POLL));
	LEAD(WAITS_MASKED, waits_wanted(WAIT_POLL));
	LEAD(WAITS_IO, waits_wanted(WAIT_IO));
	lock_table_changed = set_unlock_ways;
	set_unlock_ways();
}
