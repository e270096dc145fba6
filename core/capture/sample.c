/*
 * sample.c - see sample.h: unwind, intern, keep, push. Context: PP_ANY.
 *
 * The generation is read again before anything is stored to the session: a
 * child that a fork made in the middle of this (from a host's signal handler)
 * must not add to its parent's profile. What is left of that is a few
 * instructions; for children that our fork handlers do not see (_Fork, clone)
 * also the scratch area of one walk. man/pprofc.7 says so.
 */
#include "pp.h"

#include <string.h>
#include <sys/prctl.h>

#include "live.h"
#include "memo.h"
#include "process.h"
#include "ring.h"
#include "sample.h"
#include "self_time.h"
#include "size_class.h"
#include "stacks.h"
#include "sys.h"
#include "threads.h"
#include "unwind.h"
#include "unwind_libunwind.h"
#include "user_labels.h"

/* One sample on its way. */
struct capture {
	struct session *s;
	uint32_t slot; /* threads.h; 0 = none */
	struct unwind_bounds bounds;
	frame_t *frames;
	unsigned depth;
	enum unwind_end end;
};

/*
 * Taken at the entry; in a child that a fork made in the middle, from a host's
 * signal handler, it is not this process's any more (the thread's own
 * generation may be new there already).
 */
static bool is_image(uint32_t image)
{
	return process_generation() == image;
}

static struct capture begin(struct session *s, struct thread_state *t)
{
	return (struct capture){
		.s = s,
		.slot = thread_slot_of(s, t),
		.bounds = { t->stack_lo, t->stack_hi },
	};
}

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

static void mark_end(struct capture *c)
{
	enum unwind_end end = c->end;

	if (end == UNWIND_COMPLETE)
		return;
	session_count(c->s,
		end == UNWIND_DEPTH ? STAT_STACKS_TOO_DEEP
				    : STAT_STACKS_TRUNCATED,
		1);
	c->frames[c->depth++] = frame_synthetic(
		end == UNWIND_DEPTH ? FRAME_TOO_DEEP : FRAME_TRUNCATED);
}

/* Walk the stack into the thread's scratch area of this level; false if there
 * is none. */
static bool walk(struct capture *c, const struct arch_regs *regs, bool exact,
	unsigned level, struct safe_log *log)
{
	unsigned most = c->s->settings.max_depth;

	c->end = UNWIND_TRUNCATED;
	c->frames = threads_scratch(c->s, c->slot, level);
	if (!c->frames)
		return false;
	if (level == 0 && c->s->settings.unwinder == UNWINDER_LIBUNWIND)
		c->depth = unwind_libunwind(
			c->s, regs, c->bounds, c->frames, most, &c->end);
	else
		c->depth = unwind_logged(c->s, regs, exact, c->bounds, log,
			c->frames, most, &c->end);
	mark_end(c);
	return true;
}

/* Into no parent's session either: there it would take room for nothing. */
static uint32_t intern(const struct capture *c)
{
	return process_session_peek() == c->s
		       ? stacks_intern(c->s, c->frames, c->depth)
		       : 0;
}

static void push_cpu(struct capture *c, struct row_key *key, uint64_t periods,
	bool in_handler)
{
	struct record r = {
		.kind = RECORD_CPU,
		.thread = (uint16_t)c->slot,
		.count = periods,
		.amount = periods * process.cpu_period_ns,
		.time_ns = sys_clock_ns(CLOCK_MONOTONIC),
	};

	note_time(c->s, r.time_ns);
	key->kind = ROW_CPU;
	if (!key->thread[0]) /* zero padded by the kernel */
		(void)sys_call2(SYS_prctl, PR_GET_NAME, key->thread);
	r.row = rows_intern(c->s, key);
	ring_push(c->s, r, c->slot, in_handler);
}

static void cpu_with_session(struct session *s, struct thread_state *t,
	const ucontext_t *uc, uint64_t periods)
{
	struct capture c = begin(s, t);
	struct row_key key = { .tid = s->settings.tid ? t->tid : 0 };
	const uint32_t image = t->generation;
	struct arch_regs regs;

	arch_regs_from_ucontext(&regs, uc);
	if (walk(&c, &regs, true, 1, NULL))
		key.stack = intern(&c);
	if (!is_image(image))
		return;
	key.labels = user_labels_here(s, t);
	session_count(s, STAT_CPU_SAMPLES, 1);
	if (periods > 1)
		session_count(s, STAT_CPU_OVERRUNS, periods - 1);
	push_cpu(&c, &key, periods, true);
}

/* In a thread by raw clone what lies where the state should be is another
 * thread's, or anything: use one of its own for this sample. */
static struct thread_state *spare_state(struct thread_state *spare)
{
	*spare = (struct thread_state){
		.generation = process_generation(),
		.tid = (uint32_t)sys_gettid(),
	};
	return spare->generation ? spare : NULL;
}

void sample_cpu(const ucontext_t *uc, unsigned overrun, bool foreign)
{
	struct thread_state spare;
	struct thread_state *t = pp_unlikely(foreign) ? spare_state(&spare)
						      : thread_state_get();
	uint64_t periods = (uint64_t)overrun + 1;
	struct session *s;

	if (!t || !process_records(PROFILE_CPU))
		return;
	t->in_handler++;
	atomic_fetch_add(&process.handlers, 1);
	/* Pairs with the fork gate: either it sees this handler or we see it
	 * closed (both sequentially consistent). */
	if (atomic_load(&process.gate_closed)) {
		process_count(STAT_LOST_CPU_FORK, periods);
	} else {
		struct self_time began;

		self_begin(t, &began);
		s = process_session();
		if (s) {
			cpu_with_session(s, t, uc, periods);
			self_end(s, &began);
		} else {
			process_count(STAT_LOST_CPU_SESSION, periods);
		}
	}
	atomic_fetch_sub(&process.handlers, 1);
	t->in_handler--;
}

static uint32_t stack_here(
	struct session *s, struct thread_state *t, const ucontext_t *uc)
{
	struct capture c = begin(s, t);
	struct arch_regs regs;

	arch_regs_from_ucontext(&regs, uc);
	return walk(&c, &regs, true, 1, NULL) ? intern(&c) : 0;
}

uint32_t sample_stack_here(const ucontext_t *uc, bool foreign)
{
	struct thread_state spare;
	struct thread_state *t = pp_unlikely(foreign) ? spare_state(&spare)
						      : thread_state_get();
	struct session *s = t ? process_session_peek() : NULL;
	uint32_t stack;

	if (!s)
		return 0;
	t->in_handler++;
	stack = stack_here(s, t, uc);
	t->in_handler--;
	return stack;
}

void sample_cpu_synthetic(enum frame_synthetic leaf, frame_t start,
	uint64_t periods, const struct sample_thread *of)
{
	struct thread_state *t = thread_state_get();
	struct session *s = t && periods ? process_session() : NULL;
	struct capture c = { .s = s };
	struct row_key key = { 0 };
	frame_t frames[2] = { frame_synthetic(leaf), start };

	if (!periods || !t)
		return;
	if (!s) {
		process_count(STAT_LOST_CPU_SESSION, periods);
		return;
	}
	c.slot = thread_slot_of(s, t);
	c.frames = frames;
	c.depth = start ? 2 : 1;
	key.stack = intern(&c);
	key.labels = of ? user_labels_of(s, of->tid) : user_labels_here(s, t);
	if (s->settings.tid)
		key.tid = of ? of->tid : t->tid;
	if (of)
		memcpy(key.thread, of->name, sizeof(key.thread));
	session_count(s,
		leaf == FRAME_THREAD_END ? STAT_CPU_THREAD_END
					 : STAT_CPU_UNSEEN,
		periods);
	push_cpu(&c, &key, periods, false);
}

static void filter_add(const void *p)
{
	_Atomic uint8_t *slot = &process_wiped.filter[filter_slot(p)];
	uint8_t n = atomic_load_explicit(slot, memory_order_relaxed);

	while (n != UINT8_MAX && !atomic_compare_exchange_weak(slot, &n, n + 1))
		;
}

/* A counter that has been full stays so: it no longer knows how many. Zero
 * means that a fork has wiped it. */
static void filter_remove(const void *p)
{
	_Atomic uint8_t *slot = &process_wiped.filter[filter_slot(p)];
	uint8_t n = atomic_load_explicit(slot, memory_order_relaxed);

	while (n != UINT8_MAX && n != 0 &&
		!atomic_compare_exchange_weak(slot, &n, n - 1))
		;
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
	filter_remove(p);
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
	struct capture c = begin(s, t);
	struct safe_log *log = NULL;
	uint32_t stack = 0;

	if (memo)
		log = memo_begin(memo, regs, c.bounds);
	if (walk(&c, regs, false, 0, log)) {
		strip_own_leaf(&c);
		stack = intern(&c);
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
	if (process_wiped.filter[filter_slot(p)])
		take_stale(s, slot, p);
	filter_add(p);
	if (!is_image(image))
		return;
	kept = live_put(s, (uintptr_t)p, v);
	if (!kept) {
		filter_remove(p);
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
	filter_add((void *)(uintptr_t)held->address);
	if (!live_put(s, held->address, &v)) {
		filter_remove((void *)(uintptr_t)held->address);
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
