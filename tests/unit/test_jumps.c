/*
 * test_jumps.c - which jumps leave a hook for good: the guard goes down for
 * those, and for no other.
 */
#include "pp.h"

#include <setjmp.h>

#include "heap.h"
#include "process.h"
#include "ring.h"
#include "test.h"
#include "unwind.h"

/* Bounds that stand for those of a stack. */
static uint64_t stack_lo, stack_hi;

static struct thread_state *in_hook_at(uint64_t sp)
{
	struct thread_state *t = thread_state_get();

	t->in_hook = 1;
	t->hook_sp = sp;
	t->stack_lo = stack_lo;
	t->stack_hi = stack_hi;
	return t;
}

static bool leaves(uint64_t hook_sp, uint64_t target_sp)
{
	struct thread_state *t = in_hook_at(hook_sp);
	bool left;

	thread_jumps(t, target_sp);
	left = t->in_hook == 0;
	t->in_hook = 0;
	return left;
}

TEST(jump_beyond_the_hook_leaves_it)
{
	CHECK(leaves(stack_lo + 1000, stack_lo + 1008));
	CHECK(leaves(stack_lo + 1000, stack_hi));
}

TEST(jump_within_a_handler_does_not)
{
	CHECK(!leaves(stack_lo + 1000, stack_lo + 1000));
	CHECK(!leaves(stack_lo + 1000, stack_lo + 8));
}

/* They may be coroutines' and come back. */
TEST(jump_between_stacks_does_not)
{
	CHECK(!leaves(stack_lo + 1000, stack_hi + 8));
	CHECK(!leaves(stack_lo + 1000, stack_lo - 8));
	CHECK(!leaves(stack_lo - 8, stack_lo + 1000));
	CHECK(!leaves(stack_hi + 8, stack_hi + 16));
}

TEST(claim_of_a_hook_that_was_left_is_given_up_and_counted)
{
	struct session *s = process_session();
	struct thread_state *t = in_hook_at(stack_lo + 1000);
	struct ring_claim claim;

	CHECK(ring_claim(s, thread_slot_of(s, t), false, &claim));
	thread_jumps(t, stack_hi);
	CHECK_EQ(t->in_hook, 0);
	CHECK_EQ(ring_drain(s, 1), 1);
	CHECK(session_stat(s, STAT_LOST_DEAD_CLAIMS) > 0);
}

/* What glibc keeps in the buffer is where the jump goes. */
static __attribute__((noinline)) uint64_t sp_in_buffer(uint64_t *ret_sp)
{
	jmp_buf env;

	*ret_sp = (uintptr_t)__builtin_dwarf_cfa();
	return _setjmp(env) == 0 ? arch_jump_sp(env->__jmpbuf) : 0;
}

TEST(target_of_a_jump_is_read)
{
	uint64_t cfa, sp = sp_in_buffer(&cfa);

	CHECK(sp < cfa && cfa - sp < 4096);
}

/* Between the test of the countdown and the drawing of the next gap. */
TEST(countdown_that_was_left_behind_starts_anew)
{
	thread_state.heap_until = 10;
	CHECK(heap_due(64));
	heap_jumps();
	CHECK_EQ(thread_state.heap_until, 0);
	thread_state.heap_until = 10;
	heap_jumps();
	CHECK_EQ(thread_state.heap_until, 10);
}

int main(void)
{
	process.settings = (struct settings){
		.profiles = PROFILE_HEAP_FAMILY,
		.heap_rate = 4096,
		.memory_bytes = 4 << 20,
		.max_depth = 128,
		.session_place = SESSION_ANONYMOUS,
	};
	stack_lo = 1 << 20;
	stack_hi = 2 << 20;
	process_start();
	unwind_start();
	heap_start(true);
	RUN(jump_beyond_the_hook_leaves_it);
	RUN(jump_within_a_handler_does_not);
	RUN(jump_between_stacks_does_not);
	RUN(claim_of_a_hook_that_was_left_is_given_up_and_counted);
	RUN(target_of_a_jump_is_read);
	RUN(countdown_that_was_left_behind_starts_anew);
	return test_done();
}
