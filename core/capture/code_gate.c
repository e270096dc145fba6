/*
 * code_gate.c - see code_gate.h. Sequentially consistent throughout: a reader
 * counts itself in and then looks whether anybody closes; a closer does it the
 * other way round; so one of the two sees the other.
 */
#include "pp.h"

#include <stdatomic.h>

#include "code_gate.h"
#include "sys.h"

#define PATIENCE_NS 10000000u

static _Atomic uint32_t readers, closing;
static _Atomic uint32_t last_closer; /* its tid, while it closes; else 0 */

/* This thread is the one that closes, and we have interrupted it: nothing goes
 * away before we return. */
static bool only_we_close(uint32_t count)
{
	return count == 1 &&
	       atomic_load(&last_closer) == (uint32_t)sys_gettid();
}

/* Not below zero: a fork in the middle has forgotten who was inside, and the
 * child comes out all the same. */
static void leave(_Atomic uint32_t *count)
{
	uint32_t n = atomic_load(count);

	while (n && !atomic_compare_exchange_weak(count, &n, n - 1))
		;
}

bool code_gate_enter(void)
{
	uint32_t count;

	atomic_fetch_add(&readers, 1);
	count = atomic_load(&closing);
	if (pp_likely(count == 0) || only_we_close(count))
		return true;
	leave(&readers);
	return false;
}

void code_gate_leave(void)
{
	leave(&readers);
}

void code_gate_close(void)
{
	uint64_t end = 0;

	atomic_fetch_add(&closing, 1);
	atomic_store(&last_closer, (uint32_t)sys_gettid());
	while (atomic_load(&readers)) {
		uint64_t now = sys_clock_ns(CLOCK_MONOTONIC);

		if (!end)
			end = now + PATIENCE_NS;
		if (now >= end)
			return;
		(void)sys_call0(SYS_sched_yield);
	}
}

void code_gate_open(void)
{
	uint32_t self = (uint32_t)sys_gettid();

	/* Before the count: where it says one, the closer is that one, or
	 * nobody. */
	(void)atomic_compare_exchange_strong(&last_closer, &self, 0);
	leave(&closing);
}

void code_gate_reset(void)
{
	atomic_store(&readers, 0);
	atomic_store(&closing, 0);
	atomic_store(&last_closer, 0);
}
