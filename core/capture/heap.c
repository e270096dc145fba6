/*
 * heap.c - the sampling decision of one thread; see heap.h.
 *
 * Context: PP_ANY: the hooks run in application threads at any moment, before
 * main, in dlopen, in a fork child, in the application's own signal handlers.
 */
#include "pp.h"

#include "heap.h"
#include "heap_math.h"
#include "log.h"

/* Mean bytes between samples. Written by heap_start() alone. */
static _Atomic uint64_t rate; /* 0 = heap_start() has not run */
#define RATE_OFF UINT64_MAX

static uint64_t rate_wanted(void)
{
	const struct settings *set = &process.settings;

	if (!(set->profiles & PROFILE_HEAP_FAMILY) || set->heap_rate == 0)
		return RATE_OFF;
	return PP_MIN(set->heap_rate, HEAP_RATE_MAX);
}

void heap_start(bool reached)
{
	uint64_t wanted = rate_wanted();

	if (!reached && wanted != RATE_OFF) {
		process.settings.heap_foreign = 1;
		wanted = RATE_OFF;
		log_line("no heap profiles: the program has a malloc of its "
			 "own");
	}
	/* Children by fork count: they are right, only slower. */
	if (wanted < 1u << FILTER_NEAR_SHIFT)
		filter_skip_near(&process_wiped.filter);
	atomic_store_explicit(&rate, wanted, memory_order_relaxed);
}

bool heap_is_on(void)
{
	uint64_t now = atomic_load_explicit(&rate, memory_order_relaxed);

	return now != 0 && now != RATE_OFF;
}

/* This thread's allocations cannot be recorded yet (or, in a detached child,
 * any more): come back at the next one. */
static uint64_t heap_not_ready(void)
{
	thread_state.heap_until = 0;
	thread_state.heap_seeded = 0;
	return 0;
}

void heap_jumps(void)
{
	if (thread_state.heap_until > HEAP_UNTIL_MAX &&
		atomic_load_explicit(&rate, memory_order_relaxed) != RATE_OFF)
		(void)heap_not_ready();
}

static uint64_t draw(struct thread_state *t, uint64_t mean)
{
	return mean == 1 ? 0 : heap_gap(thread_random(t), mean);
}

/* Draw the next gap. Returns whether the allocation of s bytes that crossed
 * zero is a sample: always, except that a thread's first countdown starts only
 * here, and its first allocation is then judged like every other. */
static bool heap_redraw(struct thread_state *t, uint64_t s, uint64_t mean)
{
	uint64_t gap = draw(t, mean);

	if (!t->heap_seeded) {
		t->heap_seeded = 1;
		if (s <= gap) {
			t->heap_until = gap - s;
			return false;
		}
		gap = draw(t, mean);
	}
	t->heap_until = gap;
	return true;
}

uint64_t heap_begin(size_t size)
{
	uint64_t mean = atomic_load_explicit(&rate, memory_order_relaxed);
	uint64_t s = (uint64_t)size + 1;
	struct thread_state *t;

	if (mean == RATE_OFF) {
		/* As good as never again. */
		thread_state.heap_until = UINT64_MAX;
		return 0;
	}
	if (mean == 0)
		return heap_not_ready();
	t = thread_state_get();
	if (!t)
		return heap_not_ready();
	if (!heap_redraw(t, s, mean))
		return 0;
	if (!(atomic_load_explicit(&process.enabled, memory_order_relaxed) &
		    PROFILE_HEAP_FAMILY))
		return 0;
	if (t->in_hook) {
		process_count(STAT_LOST_HEAP_NESTED, 1);
		return 0;
	}
	(void)thread_enter_hook(t);
	return heap_weight(s, mean);
}

void heap_record(void *p, size_t size, uint64_t weight,
	const struct arch_regs *regs, uint64_t site)
{
	if (p) {
		if (pp_unlikely(!process_session_peek()))
			(void)process_session_awaited();
		sample_alloc(p, size, weight, regs, site);
	}
	thread_state.in_hook = 0; /* as heap_begin() found it */
}

void heap_free(void *p)
{
	uint32_t was;

	if (!p) /* its counters are shared like any other's */
		return;
	was = thread_enter_hook(&thread_state);
	sample_free(p);
	thread_state.in_hook = was;
}

void heap_hold(void *p, struct sample_held *ret)
{
	uint32_t was;

	ret->address = 0;
	if (!p)
		return;
	was = thread_enter_hook(&thread_state);
	sample_hold(p, ret);
	thread_state.in_hook = was;
}

void heap_resized(const struct sample_held *held, bool moved_or_freed)
{
	uint32_t was;

	if (!held->address)
		return;
	was = thread_enter_hook(&thread_state);
	if (moved_or_freed)
		sample_let_go(held);
	else
		sample_put_back(held);
	thread_state.in_hook = was;
}
