/*
 * self_time.h - our own cost, on the thread's CPU clock. System calls around
 * each slow path would cost more than what they measure, so of a thread's first
 * 16 each is timed, then one in 16, later one in 1024 and at last one in 4096,
 * which counts as often: from the middle of its block, so that a block's end
 * may be missing; in turn one with an odd and one with an even number
 * (allocations and frees may alternate). So the sum is right on average; how
 * far off a single one may be, tests/e2e/test_own_cpu.py shows.
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

void self_start(struct thread_state *t, struct self_time *st) PP_ANY;
void self_add(struct session *s, const struct self_time *st) PP_ANY;

static inline void self_begin(struct thread_state *t, struct self_time *st)
{
	if (pp_unlikely(t->untimed == 0)) {
		self_start(t, st);
		return;
	}
	t->untimed--;
	st->weight = 0;
}

static inline void self_end(struct session *s, const struct self_time *st)
{
	if (pp_unlikely(st->weight))
		self_add(s, st);
}

#endif
