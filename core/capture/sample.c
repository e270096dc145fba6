/*
 * sample.c - see sample.h: unwind and intern, for all samples; and those of CPU
 * time. Context: PP_ANY.
 *
 * Here and in sample_heap.c the generation is read again before anything is
 * stored to the session: a child that a fork made in the middle of this (from a
 * host's signal handler) must not add to its parent's profile. What is left of
 * that is a few instructions; for children that our fork handlers do not see
 * (_Fork, clone) also the scratch area of one walk. man/pprofc.7 says so.
 */
#include "pp.h"

#include <string.h>
#include <sys/prctl.h>

#include "process.h"
#include "ring.h"
#include "rules.h"
#include "sample.h"
#include "sample_priv.h"
#include "self_time.h"
#include "stacks.h"
#include "sys.h"
#include "thread_name.h"
#include "threads.h"
#include "unwind.h"
#include "unwind_libunwind.h"
#include "user_labels.h"

#define PREFETCHED 64u /* rules, at most */

struct capture capture_begin(struct session *s, struct thread_state *t)
{
	return (struct capture){
		.s = s,
		.slot = thread_slot_of(s, t),
		.bounds = { t->stack_lo, t->stack_hi },
	};
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

/*
 * Where the thread's last walk has left its frames. Most of the next ones will
 * be the same, and between two samples the program has had the processor's
 * caches for itself: so fetch their rules, all at once, before the walk asks
 * for one after the other.
 */
static void prefetch_rules(const frame_t *frames, unsigned most)
{
	most = PP_MIN(most, PREFETCHED);
	for (unsigned i = 0; i < most && frames[i]; i++)
		rules_prefetch(frame_address(frames[i]));
}

bool capture_walk(struct capture *c, const struct arch_regs *regs, bool exact,
	unsigned level, struct safe_log *log)
{
	unsigned most = c->s->settings.max_depth;

	c->end = UNWIND_TRUNCATED;
	c->frames = threads_scratch(c->s, c->slot, level);
	if (!c->frames)
		return false;
	prefetch_rules(c->frames, most);
	ring_prefetch(c->s);
	if (level == 0 && c->s->settings.unwinder == UNWINDER_LIBUNWIND)
		c->depth = unwind_libunwind(
			c->s, regs, c->bounds, c->frames, most, &c->end);
	else
		c->depth = unwind_logged(c->s, regs, exact, c->bounds, log,
			c->frames, most, &c->end);
	mark_end(c);
	if (c->depth < most)
		c->frames[c->depth] = 0; /* for prefetch_rules() */
	return true;
}

uint32_t capture_intern(const struct capture *c)
{
	return process_session_peek() == c->s
		       ? stacks_intern(c->s, c->frames, c->depth)
		       : 0;
}

static void push_cpu(struct capture *c, const struct row_key *key,
	uint64_t periods, bool in_handler)
{
	struct record r = {
		.kind = RECORD_CPU,
		.thread = (uint16_t)c->slot,
		.count = periods,
		.amount = periods * process.cpu_period_ns,
		.time_ns = sys_clock_ns(CLOCK_MONOTONIC),
	};

	session_seen(c->s, r.time_ns);
	r.row = rows_intern(c->s, key);
	ring_push(c->s, r, c->slot, in_handler);
}

static void cpu_with_session(struct session *s, struct thread_state *t,
	const ucontext_t *uc, uint64_t periods)
{
	struct capture c = capture_begin(s, t);
	struct row_key key = { .kind = ROW_CPU,
		.tid = s->settings.tid ? t->tid : 0 };
	const uint32_t image = t->generation;
	struct arch_regs regs;

	arch_regs_from_ucontext(&regs, uc);
	if (capture_walk(&c, &regs, true, 1, NULL))
		key.stack = capture_intern(&c);
	if (!is_image(image))
		return;
	key.labels = user_labels_here(s, t);
	thread_name_get(t, key.thread);
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
	struct capture c = capture_begin(s, t);
	struct arch_regs regs;

	arch_regs_from_ucontext(&regs, uc);
	return capture_walk(&c, &regs, true, 1, NULL) ? capture_intern(&c) : 0;
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
	struct row_key key = { .kind = ROW_CPU };
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
	key.stack = capture_intern(&c);
	key.labels = of ? user_labels_of(s, of->tid) : user_labels_here(s, t);
	if (s->settings.tid)
		key.tid = of ? of->tid : t->tid;
	if (of)
		memcpy(key.thread, of->name, sizeof(key.thread));
	else
		(void)sys_call2(SYS_prctl, PR_GET_NAME, key.thread);
	session_count(s,
		leaf == FRAME_THREAD_END ? STAT_CPU_THREAD_END
					 : STAT_CPU_UNSEEN,
		periods);
	push_cpu(&c, &key, periods, false);
}
