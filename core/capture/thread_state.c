/*
 * thread_state.c - see thread_state.h. Context: PP_ANY.
 */
#include "pp.h"

#include "process.h"
#include "ring.h"
#include "sys.h"
#include "thread_state.h"
#include "threads.h"

__thread struct thread_state thread_state;

PP_COLD void thread_state_renew(struct thread_state *t, uint32_t generation)
{
	t->tid = (uint32_t)sys_gettid();
	t->slot = 0;
	t->rng = 0;
	t->timed = t->untimed = 0;
	t->name_of = 0;
	t->lock_frame = NULL;
	t->generation = generation;
}

static PP_COLD uint64_t seed(const struct thread_state *t)
{
	uint64_t random = 0;

	/* GRND_NONBLOCK (1); early in boot or under seccomp it may fail, and
	 * clock, ids and addresses have to do. */
	if (sys_call3(SYS_getrandom, &random, sizeof(random), 1) !=
		(long)sizeof(random))
		random = pp_mix(sys_clock_ns(CLOCK_MONOTONIC));
	random ^= pp_mix((uint64_t)process.pid << 32 | t->tid);
	random ^= pp_mix((uintptr_t)t);
	return random | 1;
}

/*
 * Whatever runs below a frame on the same stack is gone once the frame goes on.
 * That both are on one stack is certain only of the thread's own: coroutines
 * have other ones, between which a handler may change by a jump and come back.
 * (The caller has ruled out an alternate stack in the middle of this one.)
 */
void thread_jumps(struct thread_state *t, uint64_t sp)
{
	struct session *s = process_session_peek();

	if (t->generation != process_generation() || t->hook_sp < t->stack_lo ||
		sp <= t->hook_sp || sp > t->stack_hi)
		return;
	t->in_hook = 0;
	/* Claims that are given up count when their turn comes. */
	if (!s || !ring_abandon(s, t->slot))
		process_count(STAT_LOST_DEAD_CLAIMS, 1);
}

/* SplitMix64: Steele, Lea, Flood, OOPSLA 2014. */
uint64_t thread_random(struct thread_state *t)
{
	if (pp_unlikely(t->rng == 0))
		t->rng = seed(t);
	t->rng += 0x9e3779b97f4a7c15u;
	if (t->rng == 0)
		t->rng = 0x9e3779b97f4a7c15u;
	return pp_mix(t->rng);
}

uint32_t thread_slot_of(struct session *s, struct thread_state *t)
{
	if (pp_unlikely(t->slot == 0))
		t->slot = threads_take(s, t->tid);
	return t->slot;
}
