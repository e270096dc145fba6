/*
 * created.c - see created.h. Context: PP_ANY.
 */
#include "pp.h"

#include <sys/auxv.h>

#include "created.h"
#include "ring.h"
#include "rows.h"
#include "sample.h"
#include "self_time.h"
#include "stacks.h"
#include "sys.h"
#include "unwind.h"

static _Atomic uint32_t main_noted; /* generation */
static _Atomic uint32_t too_early;

static void push(struct session *s, struct thread_state *t, uint32_t stack)
{
	struct row_key key = { .kind = ROW_THREADCREATE, .stack = stack };
	struct record r = {
		.kind = RECORD_WAIT,
		.thread = (uint16_t)thread_slot_of(s, t),
		.time_ns = sys_clock_ns(CLOCK_MONOTONIC),
		.count = ROW_ONE,
		.size = 1,
	};

	/* A child that a fork made in the middle: sample.c. */
	if (process_generation() != t->generation)
		return;
	r.row = rows_intern(s, &key);
	session_count(s, STAT_CREATED, 1);
	ring_push(s, r, t->slot, false);
}

void created_main(struct session *s)
{
	struct thread_state *t = thread_state_get();
	uint32_t noted = atomic_load(&main_noted), was;
	frame_t entry;

	if (!t || !s || !created_wanted() || noted == t->generation ||
		!atomic_compare_exchange_strong(
			&main_noted, &noted, t->generation))
		return;
	was = thread_enter_hook(t);
	entry = unwind_frame_of(s, getauxval(AT_ENTRY), true);
	push(s, t, stacks_intern(s, &entry, 1));
	session_count(s, STAT_LOST_CREATED, atomic_exchange(&too_early, 0));
	t->in_hook = was;
}

static void record(struct thread_state *t, const struct arch_regs *regs)
{
	struct session *s = process_session_awaited();
	struct self_time cost;

	if (!s) {
		created_unseen();
		return;
	}
	created_main(s);
	self_begin(t, &cost);
	push(s, t, sample_hook_stack(s, t, regs));
	self_end(s, &cost);
}

void created_thread(const struct arch_regs *regs)
{
	struct thread_state *t = thread_state_get();
	uint32_t was;

	if (!t || !process_records(PROFILE_THREADCREATE))
		return;
	/* A handler of the host's in the middle of a hook. */
	if (t->in_hook || t->in_handler) {
		created_unseen();
		return;
	}
	was = thread_enter_hook(t);
	record(t, regs);
	t->in_hook = was;
}

/* Before the settings are read nobody knows whether it matters. */
void created_unseen(void)
{
	if (process_generation() == 0)
		atomic_fetch_add(&too_early, 1);
	else if (created_wanted())
		process_count(STAT_LOST_CREATED, 1);
}
