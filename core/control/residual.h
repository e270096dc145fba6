/*
 * residual.h - CPU time that is due and that no timer has brought to a sample.
 *
 * The kernel's timers expire at clock ticks only, so every account has a rest
 * when it is closed: it becomes a sample of a synthetic leaf over the thread's
 * start routine, or the totals would be short by it.
 *
 * Context: PP_ANY, but not our CPU timers' handler: it may wait for another
 * thread that is just making the session. Owner: entries belong to registry.h.
 */
#ifndef RESIDUAL_H
#define RESIDUAL_H

#include "pp.h"

#include "frame.h"
#include "sample.h"

struct counted_thread;

/* Put so many periods under `leaf` and, if known, the start routine. `of` is
 * the thread; NULL = the caller. */
void residual_charge(enum frame_synthetic leaf, uint64_t start_pc,
	uint64_t periods, const struct sample_thread *of) PP_ANY;

/* Close the account of another thread, or of the caller, or let it go on from
 * now, and charge the rest. It has been stopped. Registry locked. */
void residual_settle(struct counted_thread *t, bool goes_on) PP_ANY;

#endif
