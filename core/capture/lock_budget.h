/*
 * lock_budget.h - how many stacks of waits and releases are taken.
 *
 * In a storm of lock events each is taken with the chance 2^-shift and counts
 * 2^shift times. The shift follows from what came before alone, so whether an
 * event is taken does not depend on the event, and sums stay unbiased.
 * Context: PP_ANY.
 */
#ifndef LOCK_BUDGET_H
#define LOCK_BUDGET_H

#include <stdatomic.h>

#include "pp.h"

struct lock_budget {
	_Atomic uint64_t window_end; /* CLOCK_MONOTONIC */
	_Atomic uint32_t shift;
	_Atomic uint32_t taken;	      /* in this window */
	_Atomic uint32_t until_raise; /* of `taken`: at the next shift */
};

#define LOCK_BUDGET_WINDOW_NS UINT64_C(100000000)
#define LOCK_BUDGET_SHIFT_MAX 16u

/* Take this event? `per_second` is PPROFC_LOCK_EVENTS. */
bool lock_budget_take(struct lock_budget *b, uint32_t per_second, uint64_t now,
	uint64_t random, unsigned *ret_shift) PP_ANY;

/* Is a wait of *ns recorded, at a rate of `rate` ns? If so as *ret_count waits
 * (1/ROW_ONE) of *ns together: of those shorter than the rate one of length d
 * with the chance d / rate, as rate / d waits, as Go does. */
bool lock_by_length(uint64_t random, uint64_t rate, uint64_t *ns,
	uint64_t *ret_count) PP_ANY;

/* 1 of `fraction` on average. */
static inline bool lock_by_fraction(uint64_t random, uint32_t fraction)
{
	return fraction <= 1 || random % fraction == 0;
}

#endif
