/*
 * sample_heap.c - see sample.h: allocations and what is live of them, and
 * the stacks of hooks. What is said in sample.c of forks goes for this, too.
 * Context: PP_ANY.
 */
#include "pp.h"

#include "filter.h"
#include "live.h"
#include "memo.h"
#include "process.h"
#include "ring.h"
#include "sample.h"
#include "sample_priv.h"
#include "self_time.h"
#include "size_class.h"
#include "threads.h"
#include "user_labels.h"

static bool is_own(frame_t f)
{
	uint64_t pc = frame_pc(f);

	return pc >= process.text_lo && pc < process.text_hi;
}

/* Leave out the leading frames of this library: a hook's. The last frame stays
 * whatever it is. */
static void strip_own_leaf(struct capture *c)
{
	while (c->depth > 1 && is_own(c->frames[0])) {
		c->frames++;
		c->depth--;
	}
}

static void push_heap(struct session *s, uint32_t slot, enum record_kind kind,
	const struct live_value *v)
{
	struct record r = {
		.row = v->row,
		.kind = (uint16_t)kind,
		.thread = (uint16_t)slot,
		.count = v->objects,
		.amount = live_bytes(v),
		.size = v->size,
	};

	ring_push(s, r, slot, false);
}

/* Off the list; false if p is not on it. */
static bool take(struct session *s, void *p, struct live_value *ret)
{
	if (!live_take(s, (uintptr_t)p, ret))
		return false;
	filter_remove(&process_wiped.filter, p);
	return true;
}

/* An entry for an address that is just being handed out: its free went past
 * us. It ends here. */
static void take_stale(struct session *s, uint32_t slot, void *p)
{
	struct live_value old;

	if (!take(s, p, &old))
		return;
	session_count(s, STAT_HEAP_STALE, 1);
	push_heap(s, slot, RECORD_FREE, &old);
}

/* The stack of an allocation, to be remembered if `memo`; 0 = no room. */
static uint32_t walk_alloc(struct session *s, struct thread_state *t,
	const struct arch_regs *regs, struct memo *memo)
{
	struct capture c = capture_begin(s, t);
	struct safe_log *log = NULL;
	uint32_t stack = 0;

	if (memo)
		log = memo_begin(memo, regs, c.bounds);
	if (capture_walk(&c, regs, false, 0, log)) {
		strip_own_leaf(&c);
		stack = capture_intern(&c);
	}
	if (memo) /* the ends of others are counted at each walk */
		memo_finish(memo, c.end == UNWIND_COMPLETE ? stack : 0);
	return stack;
}

uint32_t sample_hook_stack(
	struct session *s, struct thread_state *t, const struct arch_regs *regs)
{
	return walk_alloc(s, t, regs, NULL);
}

/* `stack` as remembered, 0 = not. */
static __attribute__((noinline)) uint32_t row_unremembered(struct session *s,
	struct thread_state *t, const struct arch_regs *regs, struct memo *memo,
	uint32_t stack, uint16_t class)
{
	struct row_key key = { .kind = ROW_HEAP, .size_class = class };
	uint32_t row;

	if (s->settings.heap_labels)
		key.labels = user_labels_here(s, t);
	key.stack = stack ? stack : walk_alloc(s, t, regs, memo);
	row = rows_intern(s, &key);
	if (memo && memo->stack && !key.labels &&
		row != s->overflow_rows[ROW_HEAP]) {
		memo->row = row;
		memo->row_class = class;
	}
	return row;
}

static uint32_t row_of_alloc(struct session *s, struct thread_state *t,
	const struct arch_regs *regs, uint64_t site, uint64_t size)
{
	struct unwind_bounds bounds = { t->stack_lo, t->stack_hi };
	struct memo *memo = memo_at(t, regs, site);
	uint16_t class = size_class(size);
	uint32_t stack = 0;

	if (memo && memo_holds(memo, regs, bounds)) {
		stack = memo->stack;
		if (memo->row && memo->row_class == class &&
			!(s->settings.heap_labels && user_labels_here(s, t)))
			return memo->row;
	}
	return row_unremembered(s, t, regs, memo, stack, class);
}

static void alloc_with_session(struct session *s, struct thread_state *t,
	void *p, struct live_value *v, const struct arch_regs *regs,
	uint64_t site)
{
	const uint32_t image = t->generation;
	uint32_t slot = thread_slot_of(s, t);
	bool kept;

	v->row = row_of_alloc(s, t, regs, site, v->size);
	if (!is_image(image))
		return;
	if (filter_has(&process_wiped.filter, p))
		take_stale(s, slot, p);
	filter_add(&process_wiped.filter, p);
	if (!is_image(image))
		return;
	kept = live_put(s, (uintptr_t)p, v);
	if (!kept) {
		filter_remove(&process_wiped.filter, p);
		session_count(s, STAT_LOST_HEAP_LIVE, 1);
	}
	if (is_image(image))
		push_heap(s, slot, kept ? RECORD_ALLOC : RECORD_UNTRACKED, v);
}

void sample_alloc(void *p, size_t size, uint64_t objects,
	const struct arch_regs *regs, uint64_t site)
{
	struct thread_state *t = thread_state_get();
	struct session *s = t ? process_session() : NULL;
	struct live_value v = { .size = size, .objects = objects };
	struct self_time began;
	uint32_t image;

	if (s) {
		image = t->generation;
		self_begin(t, &began);
		alloc_with_session(s, t, p, &v, regs, site);
		if (is_image(image))
			self_end(s, &began);
	} else if (t) {
		process_count(STAT_LOST_HEAP_SESSION, 1);
	}
}

void sample_hold(void *p, struct sample_held *ret)
{
	struct session *s = process_session_peek();
	struct live_value v;

	ret->address = 0;
	if (!s || !take(s, p, &v))
		return;
	*ret = (struct sample_held){ .address = (uintptr_t)p,
		.row = v.row,
		.size = v.size,
		.objects = v.objects };
}

void sample_put_back(const struct sample_held *held)
{
	struct session *s = process_session_peek();
	struct live_value v = {
		.row = held->row, .size = held->size, .objects = held->objects
	};

	if (!held->address || !s)
		return;
	filter_add(&process_wiped.filter, (void *)(uintptr_t)held->address);
	if (!live_put(s, held->address, &v)) {
		filter_remove(&process_wiped.filter,
			(void *)(uintptr_t)held->address);
		session_count(s, STAT_LOST_HEAP_LIVE, 1);
		sample_let_go(held);
	}
}

void sample_let_go(const struct sample_held *held)
{
	struct thread_state *t = thread_state_get();
	struct session *s = process_session_peek();
	struct live_value v = {
		.row = held->row, .size = held->size, .objects = held->objects
	};

	if (!held->address || !s || !t)
		return;
	push_heap(s, thread_slot_of(s, t), RECORD_FREE, &v);
}

void sample_free(void *p)
{
	struct thread_state *t = thread_state_get();
	struct session *s = process_session_peek();
	struct live_value v;
	struct self_time began;
	uint32_t image;

	if (!t || !s)
		return;
	image = t->generation;
	self_begin(t, &began);
	if (is_image(image) && take(s, p, &v) && is_image(image))
		push_heap(s, thread_slot_of(s, t), RECORD_FREE, &v);
	if (is_image(image))
		self_end(s, &began);
}
