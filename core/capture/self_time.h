/*
 * self_time.h - our own cost, on the thread's CPU clock. System calls around
 * each slow path would cost more than what they measure, so of a thread's first
 * 64 each is timed, then one in 16, then one in 1024, which counts as often:
 * from the middle of its block, so that a block's end may be missing; in turn
 * one with an odd and one with an even number (allocations and frees may
 * alternate).
 *
 * What a reading of the clock takes is taken off. It is more than the path
 * itself, and the first reading takes longest: the shorter of one before and
 * one behind is what counts, else sums of many came out below zero. Context:
 * PP_ANY.
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
#define SELF_SECOND 1024u
#define SELF_OFTEN 16u
#define SELF_SELDOM 1024u

static inline bool self_due(uint32_t n, uint32_t every)
{
	return n % every == every / 2 + (n / every) % 2;
}

static inline void self_begin(struct thread_state *t, struct self_time *st)
{
	uint32_t n = ++t->slow_paths;

	st->weight = 0;
	if (pp_unlikely(n <= SELF_SECOND)) {
		if (n <= SELF_FIRST)
			self_start(st, 1);
		else if (self_due(n, SELF_OFTEN))
			self_start(st, SELF_OFTEN);
	} else if (pp_unlikely(self_due(n, SELF_SELDOM))) {
		self_start(st, SELF_SELDOM);
	}
}

static inline void self_end(struct session *s, const struct self_time *st)
{
	if (pp_unlikely(st->weight))
		self_add(s, st);
}

#endif
