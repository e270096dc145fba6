/*
 * self_time.h - our own cost, on the thread's CPU clock. Two system calls
 * around each slow path would cost more than what they measure, so of a
 * thread's later ones one in SELF_EVERY is timed, in turn one with an odd and
 * one with an even number (allocations and frees may alternate), and counts
 * SELF_EVERY times. A reading of the clock is taken off; single differences may
 * be below zero. Context: PP_ANY.
 */
#ifndef SELF_TIME_H
#define SELF_TIME_H

#include "pp.h"

#include "session.h"
#include "thread_state.h"

struct self_time {
	uint64_t weight;	  /* 0: not timed, nothing else is set */
	uint64_t began, clock_ns; /* what one reading of the clock takes */
};

/* Up to when the data reach, should the process be killed. */
static inline void note_time(struct session *s, uint64_t ns)
{
	if (ns)
		atomic_store_explicit(
			&s->seen_mono_ns, ns, memory_order_relaxed);
}

void self_start(struct self_time *st, uint64_t weight) PP_ANY;
void self_add(struct session *s, const struct self_time *st) PP_ANY;

#define SELF_FIRST 64u
#define SELF_EVERY 1024u

static inline void self_begin(struct thread_state *t, struct self_time *st)
{
	uint32_t n = ++t->slow_paths;

	st->weight = 0;
	if (pp_unlikely(n <= SELF_FIRST))
		self_start(st, 1);
	else if (pp_unlikely(n % SELF_EVERY == (n / SELF_EVERY) % 2))
		self_start(st, SELF_EVERY);
}

static inline void self_end(struct session *s, const struct self_time *st)
{
	if (pp_unlikely(st->weight))
		self_add(s, st);
}

#endif
