/*
 * waits.c - see waits.h. Context: PP_ANY.
 *
 * Whether a wait's stack is taken is decided before it is known how long it is;
 * whether it then is recorded, by its length: lock_budget.h.
 */
#include "pp.h"

#include <sys/prctl.h>

#include "find_module.h"
#include "labels.h"
#include "lock_budget.h"
#include "process.h"
#include "ring.h"
#include "rows.h"
#include "sample.h"
#include "self_time.h"
#include "sys.h"
#include "thread_state.h"
#include "threads.h"
#include "unwind.h"
#include "user_labels.h"
#include "waits.h"

/* Locks that are told apart in the mutex profile; the rest share a label. */
#define LOCKS_TOLD_APART 4096u

static struct lock_budget budget;

static struct lock_table *table(void)
{
	return &process_wiped.locks;
}

bool waits_wanted(enum wait_class class)
{
	uint32_t kinds = process.settings.profiles;

	/* A wait for a condition releases a mutex. */
	if (class <= WAIT_COND && (kinds & PROFILE_BIT(PROFILE_MUTEX)))
		return true;
	if (class < WAIT_SLEEP && (kinds & PROFILE_BIT(PROFILE_GOROUTINE)))
		return true;
	return (kinds & PROFILE_BIT(PROFILE_BLOCK)) &&
	       (process.settings.block_waits & WAIT_BIT(class));
}

/* --- rows ----------------------------------------------------------------- */

static uint32_t wait_label(struct session *s, enum wait_class class)
{
	_Atomic uint32_t *known = &s->wait_labels[class];
	uint32_t set = atomic_load_explicit(known, memory_order_relaxed);
	struct label label = { .kind = LABEL_WORD };

	_Static_assert(PP_ARRAY_LEN(s->wait_labels) >= WAIT_CLASSES, "room");
	if (pp_likely(set != 0))
		return set;
	label.key = labels_text(s, "wait");
	label.str = labels_text(s, wait_class_names[class]);
	set = labels_intern(s, &label, 1);
	atomic_store_explicit(known, set, memory_order_relaxed);
	return set;
}

static uint32_t lock_label(struct session *s, const void *lock)
{
	struct label label = { .kind = LABEL_PLACE,
		.key = labels_text(s, "lock") };
	uint32_t set;

	if (atomic_load(&s->lock_labels) >= LOCKS_TOLD_APART) {
		label.kind = LABEL_WORD;
		label.str = labels_text(s, "[other locks]");
		return labels_intern(s, &label, 1);
	}
	label.num = (int64_t)frame_make((uintptr_t)lock, true,
		find_data_instance(s, (uintptr_t)lock, unwind_generation()));
	set = labels_intern(s, &label, 1);
	/* Ids grow: a larger one is a new set. */
	if (set > atomic_load(&s->lock_labels_last)) {
		atomic_store(&s->lock_labels_last, set);
		atomic_fetch_add(&s->lock_labels, 1);
	}
	return set;
}

static uint32_t row_of(struct session *s, struct thread_state *t,
	enum row_kind kind, uint32_t labels, const struct arch_regs *regs)
{
	struct row_key key = { .kind = (uint16_t)kind,
		.labels = labels_merge(s, user_labels_here(s, t), labels),
		.tid = s->settings.tid ? t->tid : 0 };

	key.stack = sample_hook_stack(s, t, regs);
	(void)sys_call2(SYS_prctl, PR_GET_NAME, key.thread);
	/* A child that a fork made in the middle: sample.c. */
	return process_generation() == t->generation ? rows_intern(s, &key) : 0;
}

static struct record record_of(struct thread_state *t, uint32_t row,
	uint64_t now, uint64_t count, uint64_t ns)
{
	return (struct record){
		.row = row,
		.kind = RECORD_WAIT,
		.thread = (uint16_t)t->slot,
		.time_ns = now,
		.count = count,
		.amount = ns,
		.size = count != 0,
	};
}

/* --- sampling ------------------------------------------------------------- */

static struct session *session_for(void)
{
	struct session *s = process_session_awaited();

	if (!s)
		process_count(STAT_LOST_LOCK_SESSION, 1);
	return s;
}

static bool affordable(
	struct thread_state *t, uint64_t now, unsigned *ret_shift)
{
	if (lock_budget_take(&budget, process.settings.lock_events, now,
		    thread_random(t), ret_shift))
		return true;
	process_count(STAT_LOCK_SKIPPED, 1);
	return false;
}

/* The row of a wait, if its stack is to be taken. */
static void take_stack(struct wait *w, struct thread_state *t, uint64_t now,
	const struct arch_regs *regs)
{
	struct session *s;
	struct self_time cost;
	unsigned shift;

	if (!affordable(t, now, &shift))
		return;
	s = session_for();
	if (!s)
		return;
	self_begin(t, &cost);
	ring_relieve(s);
	w->row = row_of(s, t, ROW_BLOCK,
		wait_label(s, (enum wait_class)w->class), regs);
	w->shift = (uint8_t)shift;
	self_end(s, &cost);
}

static bool by_length(struct thread_state *t, uint64_t *ns, uint64_t *ret_count)
{
	return lock_by_length(
		thread_random(t), process.settings.block_rate, ns, ret_count);
}

/* --- waits ---------------------------------------------------------------- */

static bool records_block(enum wait_class class)
{
	return process_records(PROFILE_BLOCK) &&
	       (process.settings.block_waits & WAIT_BIT(class));
}

/* What is got is a right that others may wait for: the stack is walked before.
 */
static bool gives_right(enum wait_class class)
{
	return class <= WAIT_SEM;
}

static bool on_own_stack(const struct thread_state *t, const void *frame)
{
	return (uintptr_t)frame - t->stack_lo < t->stack_hi - t->stack_lo;
}

/* What comes over a wait lies below it, or on another stack: a handler's. */
static bool comes_over(const struct thread_state *t, const void *frame)
{
	if (t->stack_hi && !on_own_stack(t, frame))
		return true;
	if (t->stack_hi && !on_own_stack(t, t->lock_frame))
		return false;
	return frame < t->lock_frame;
}

/* A wait of this thread that ended unseen: its frame is gone. `frame`: of the
 * next wait, or NULL at the thread's end. */
static void forget_stale(struct thread_state *t, const void *frame)
{
	if (!t->lock_frame || (frame && comes_over(t, frame)))
		return;
	lock_table_forget(table(), &t->lock_token);
	t->lock_frame = NULL;
}

/* The frame is not remembered of a wait in a handler that came over another. */
static void enter_table(
	struct wait *w, struct thread_state *t, const void *lock)
{
	forget_stale(t, w->frame);
	w->listed = lock_table_enter(table(), lock, w->began, &w->token);
	if (!w->listed) {
		process_count(STAT_LOST_LOCK_TABLE, 1);
	} else if (!t->lock_frame) {
		t->lock_token = w->token;
		t->lock_frame = w->frame;
	}
}

/* For whoever asks what the threads are doing: thread_stacks.h. */
static void note(struct wait *w, struct thread_state *t, const void *lock)
{
	struct session *s = process_session_peek();

	if (!s && process_records(PROFILE_GOROUTINE))
		s = session_for();
	if (s)
		threads_wait_begin(s, thread_slot_of(s, t), w->class,
			(uintptr_t)lock, w->began);
}

void wait_begin_at(struct wait *w, enum wait_class class, const void *lock,
	const struct arch_regs *regs)
{
	struct thread_state *t = thread_state_get();
	bool block = records_block(class);
	bool mutex = lock && class != WAIT_COND &&
		     process_records(PROFILE_MUTEX);
	uint32_t was;

	w->began = 0;
	if (!t || t->in_hook || t->in_handler)
		return;
	if (!mutex && !block && !process_records(PROFILE_GOROUTINE))
		return;
	was = thread_enter_hook(t);
	*w = (struct wait){ .began = sys_clock_ns(CLOCK_MONOTONIC),
		.generation = t->generation,
		.class = (uint8_t) class,
		.late = block && !gives_right(class),
		.frame = (const void *)regs->r[ARCH_REG_SP] };
	if (mutex)
		enter_table(w, t, lock);
	if (block && !w->late)
		take_stack(w, t, w->began, regs);
	note(w, t, lock);
	t->in_hook = was;
}

/* The time since the release that gave us the lock is that releaser's, too. */
static void leave_table(struct wait *w, struct thread_state *t,
	struct session *s, uint64_t now, bool got)
{
	uint32_t row = 0;
	unsigned shift = 0;
	uint64_t ns = lock_table_leave(
		table(), &w->token, now, got, &row, &shift);
	struct record r;

	if (t->lock_frame == w->frame)
		t->lock_frame = NULL;
	if (row == LOCK_UNSEEN)
		process_count(STAT_LOST_LOCK_TABLE, 1);
	if (!ns || !s)
		return;
	ns *= process.settings.mutex_fraction;
	r = record_of(t, row, now, 0, ns << shift);
	ring_push_undrained(s, &r, thread_slot_of(s, t));
}

static void record_wait(
	struct wait *w, struct thread_state *t, struct session *s, uint64_t now)
{
	uint64_t ns = now > w->began ? now - w->began : 0, count;
	struct record r;

	if (!by_length(t, &ns, &count))
		return;
	r = record_of(t, w->row, now, count << w->shift, ns << w->shift);
	session_count(s, STAT_BLOCK_SAMPLES, 1);
	ring_push_undrained(s, &r, t->slot);
}

/* Of waits that give no right most are short and not recorded: the dice are
 * thrown before the stack is walked. */
static void record_late(struct wait *w, struct thread_state *t, uint64_t now,
	const struct arch_regs *regs)
{
	uint64_t ns = now > w->began ? now - w->began : 0, count;
	struct session *s;
	struct record r;

	if (!by_length(t, &ns, &count))
		return;
	take_stack(w, t, now, regs);
	s = process_session_peek();
	if (!w->row || !s || process_generation() != w->generation)
		return;
	r = record_of(t, w->row, now, count << w->shift, ns << w->shift);
	session_count(s, STAT_BLOCK_SAMPLES, 1);
	ring_push(s, r, t->slot, false);
}

void wait_end_at(struct wait *w, bool got, const struct arch_regs *regs)
{
	struct thread_state *t = thread_state_get();
	struct session *s = process_session_peek();
	uint64_t now;
	uint32_t was;

	/* Another generation: the child of a fork in a handler in between. */
	if (!t || t->generation != w->generation)
		return;
	was = thread_enter_hook(t);
	now = sys_clock_ns(CLOCK_MONOTONIC);
	if (s)
		threads_wait_end(s, t->slot);
	if (w->listed)
		leave_table(w, t, s, now, got);
	if (w->row && s)
		record_wait(w, t, s, now);
	else if (w->late)
		record_late(w, t, now, regs);
	t->in_hook = was;
}

void waits_thread_end(void)
{
	struct thread_state *t = &thread_state;

	if (process_generation() != 0 && t->generation == process_generation())
		forget_stale(t, NULL);
}

/* --- releases ------------------------------------------------------------- */

bool release_begin(struct release *r, const void *lock)
{
	struct thread_state *t = thread_state_get();

	if (!t || t->in_hook || t->in_handler ||
		!process_records(PROFILE_MUTEX))
		return false;
	r->now = sys_clock_ns(CLOCK_MONOTONIC);
	r->lock = lock;
	r->generation = t->generation;
	return lock_table_release(table(), lock, r->now, &r->table);
}

static uint32_t row_of_release(struct release *r, struct thread_state *t,
	struct session *s, const struct arch_regs *regs)
{
	struct self_time cost;
	uint32_t row;

	self_begin(t, &cost);
	row = row_of(s, t, ROW_MUTEX, lock_label(s, r->lock), regs);
	self_end(s, &cost);
	return row;
}

static void record_release(
	struct release *r, struct thread_state *t, const struct arch_regs *regs)
{
	uint64_t weight = process.settings.mutex_fraction;
	struct session *s = NULL;
	uint32_t row = LOCK_NOT_SAMPLED;
	unsigned shift = 0;
	uint64_t ns;
	struct record record;

	if (lock_by_fraction(thread_random(t), (uint32_t)weight) &&
		affordable(t, r->now, &shift))
		s = session_for();
	if (s)
		row = row_of_release(r, t, s, regs);
	if (process_generation() != r->generation)
		return;
	ns = r->table.ns + lock_table_charged(table(), &r->table, row, shift);
	if (!s || !row)
		return;
	weight <<= shift;
	record = record_of(t, row, r->now, ROW_ONE * weight, ns * weight);
	session_count(s, STAT_MUTEX_SAMPLES, 1);
	ring_push(s, record, t->slot, false);
}

void release_end_at(struct release *r, const struct arch_regs *regs)
{
	struct thread_state *t = thread_state_get();
	uint32_t was;

	if (!t || t->generation != r->generation)
		return;
	was = thread_enter_hook(t);
	record_release(r, t, regs);
	t->in_hook = was;
}
