/*
 * ring.c - see ring.h. Context: PP_ANY.
 *
 * Protocol. A slot's word is {ticket 40, thread slot 20, state 4}. With n slots
 * ticket t belongs to slot t % n, and the word of a slot that waits for ticket
 * t is FREE(t).
 *
 *   push   finds the first FREE(t) from ring_hint on; CAS FREE(t) ->
 *          CLAIMED(t, thread); the hint becomes t + 1, by a plain store: a
 *          late one takes it back, and the next claims walk on from there.
 *          Never ahead of the next ticket, so tickets are claimed in order.
 *          Then the record is written and the word becomes FULL(t) (release).
 *   drain  (baton) FULL(t) -> APPLYING(t), adds the record to its row, ->
 *          FREE(t + n), tail = t + 1. Stops at CLAIMED: that writer is at work
 *          or was interrupted by us.
 *   dead   CLAIMED -> DEAD(t) by ring_abandon(); drain skips and counts it.
 *
 * The ticket has 40 bits in the word and 64 in hint and tail; their order
 * modulo 2^40 cannot be confused unless a thread stops for 2^39 tickets between
 * two instructions here.
 */
#include "pp.h"

#include <errno.h>
#include <sched.h>

#include "ring.h"
#include "sys.h"

enum slot_state { FREE, CLAIMED, FULL, APPLYING, DEAD };

#define THREAD_SHIFT 4
#define THREAD_MASK 0xfffffu
#define TICKET_SHIFT 24
#define TICKET_MASK ((UINT64_C(1) << 40) - 1)

static uint64_t word(enum slot_state state, uint64_t ticket, uint32_t thread)
{
	return (ticket & TICKET_MASK) << TICKET_SHIFT |
	       (uint64_t)(thread & THREAD_MASK) << THREAD_SHIFT |
	       (uint64_t)state;
}

static enum slot_state state_of(uint64_t w)
{
	return (enum slot_state)(w & 15);
}

static uint32_t thread_of(uint64_t w)
{
	return (uint32_t)(w >> THREAD_SHIFT) & THREAD_MASK;
}

static struct ring_slot *slot_of(const struct session *s, uint64_t ticket)
{
	struct ring_slot *slots = session_at(s, s->ring_off);

	_Static_assert(sizeof(*slots) == 64, "a slot is one cache line");
	return &slots[ticket & (s->ring_slots - 1)];
}

/* A slot's word, as seen by who looks for ticket t there: 0 it is free, below 0
 * it is of a round before, above 0 it has been claimed. */
static int64_t ahead(uint64_t w, uint64_t t)
{
	return (int64_t)(w - word(FREE, t, 0));
}

/* After ticket t, which has been claimed. The hint that led to it may be old;
 * nothing before tail is free. */
static uint64_t next_ticket(const struct session *s, uint64_t t, uint64_t w)
{
	uint64_t tail;

	if (pp_likely(ahead(w, t) < INT64_C(1) << TICKET_SHIFT))
		return t + 1;
	tail = atomic_load_explicit(&s->ring_tail, memory_order_relaxed);
	return PP_MAX(t + 1, tail);
}

uint64_t ring_end(const struct session *s)
{
	uint64_t t = atomic_load_explicit(&s->ring_hint, memory_order_relaxed);

	for (;;) {
		uint64_t w = atomic_load_explicit(
			&slot_of(s, t)->word, memory_order_acquire);

		if (ahead(w, t) <= 0)
			return t;
		t = next_ticket(s, t, w);
	}
}

bool baton_try(struct session *s)
{
	uint32_t nobody = 0;

	return atomic_compare_exchange_strong_explicit(&s->baton, &nobody,
		(uint32_t)sys_gettid(), memory_order_acquire,
		memory_order_relaxed);
}

bool baton_wait(struct session *s, uint64_t ns)
{
	uint64_t until = 0;

	while (!baton_try(s)) {
		uint64_t now = sys_clock_ns(CLOCK_MONOTONIC);

		if (!until)
			until = now + ns;
		if (now >= until)
			return false;
		(void)sys_call0(SYS_sched_yield);
	}
	return true;
}

void baton_release(struct session *s)
{
	atomic_store_explicit(&s->baton, 0, memory_order_release);
}

/* Records applied, by kind: the heap's counters are brought up once a drain. */
struct tally {
	uint32_t n[RECORD_KINDS];
};

static void count_record(struct tally *tally, const struct record *r)
{
	if (r->kind < RECORD_KINDS) /* a damaged file may hold anything */
		tally->n[r->kind]++;
}

static void count_tally(struct session *s, const struct tally *tally)
{
	uint32_t allocs = tally->n[RECORD_ALLOC] + tally->n[RECORD_UNTRACKED];

	if (allocs)
		session_count(s, STAT_HEAP_SAMPLES, allocs);
	if (tally->n[RECORD_FREE])
		session_count(s, STAT_HEAP_FREES, tally->n[RECORD_FREE]);
}

void ring_push_late(struct session *s, const struct record *r)
{
	struct tally tally = { { 0 } };

	session_count(s, STAT_DIRECT, 1);
	rows_apply_late(s, r);
	count_record(&tally, r);
	count_tally(s, &tally);
}

/* Finish ticket t's slot, whatever it held. */
static void recycle(struct session *s, struct ring_slot *slot, uint64_t t)
{
	atomic_store_explicit(&slot->word, word(FREE, t + s->ring_slots, 0),
		memory_order_release);
	atomic_store_explicit(&s->ring_tail, t + 1, memory_order_release);
}

unsigned ring_drain(struct session *s, unsigned most)
{
	uint64_t t = atomic_load_explicit(&s->ring_tail, memory_order_relaxed);
	struct tally tally = { { 0 } };
	unsigned done = 0;

	while (done < most) {
		struct ring_slot *slot = slot_of(s, t);
		uint64_t w = atomic_load_explicit(
			&slot->word, memory_order_acquire);

		if (w == word(DEAD, t, thread_of(w))) {
			session_count(s, STAT_LOST_DEAD_CLAIMS, 1);
		} else if (w == word(FULL, t, thread_of(w))) {
			/* Release orders it before the additions only together
			 * with their own ordering; a crash in between leaves at
			 * most this one record in doubt. */
			atomic_store_explicit(&slot->word,
				word(APPLYING, t, thread_of(w)),
				memory_order_release);
			atomic_signal_fence(memory_order_seq_cst);
			rows_apply(s, &slot->record);
			count_record(&tally, &slot->record);
		} else {
			break;
		}
		recycle(s, slot, t++);
		done++;
	}
	count_tally(s, &tally);
	rows_fold(s);
	return done;
}

static void drain_some(struct session *s, bool in_handler)
{
	sys_sigset old = 0;

	if (atomic_load_explicit(&s->baton, memory_order_relaxed))
		return;
	if (!in_handler)
		sys_block_signals(&old);
	if (baton_try(s)) {
		session_seen(s, sys_clock_ns(CLOCK_MONOTONIC));
		(void)ring_drain(
			s, in_handler ? RING_HANDLER_DRAIN : s->ring_slots);
		baton_release(s);
	}
	if (!in_handler)
		sys_restore_signals(&old);
}

/* The next free slot; false when there is none. */
static bool claim_slot(
	struct session *s, uint32_t thread, struct ring_claim *ret)
{
	uint64_t t = atomic_load_explicit(&s->ring_hint, memory_order_relaxed);

	for (;;) {
		struct ring_slot *slot = slot_of(s, t);
		uint64_t w = atomic_load_explicit(
			&slot->word, memory_order_relaxed);

		/* Acquire: who drained it has read the record. */
		if (ahead(w, t) == 0 &&
			atomic_compare_exchange_strong_explicit(&slot->word, &w,
				word(CLAIMED, t, thread), memory_order_acquire,
				memory_order_relaxed)) {
			*ret = (struct ring_claim){ slot, t, thread };
			break;
		}
		if (ahead(w, t) < 0)
			return false;
		t = next_ticket(s, t, w);
	}
	atomic_store_explicit(&s->ring_hint, t + 1, memory_order_relaxed);
	return true;
}

bool ring_claim(struct session *s, uint32_t thread, bool in_handler,
	struct ring_claim *ret)
{
	if (pp_likely(claim_slot(s, thread, ret)))
		return true;
	drain_some(s, in_handler);
	return claim_slot(s, thread, ret);
}

/* The claim may be ours no more: it was given up for dead, or this is a child
 * that a fork made in the middle. Test and store need not be one step: claims
 * are given up by their own thread or after its end. */
static bool publish(const struct ring_claim *claim)
{
	uint64_t t = claim->ticket;
	_Atomic uint64_t *at = &claim->slot->word;

	if (atomic_load_explicit(at, memory_order_relaxed) !=
		word(CLAIMED, t, claim->thread))
		return false;
	atomic_store_explicit(
		at, word(FULL, t, claim->thread), memory_order_release);
	return true;
}

/* Records in the ring before ticket t. */
static uint64_t records_before(const struct session *s, uint64_t t)
{
	return t - atomic_load_explicit(&s->ring_tail, memory_order_relaxed);
}

void ring_commit(
	struct session *s, const struct ring_claim *claim, bool in_handler)
{
	if (publish(claim) &&
		records_before(s, claim->ticket) >= s->ring_slots / 2)
		drain_some(s, in_handler);
}

void ring_push_undrained(
	struct session *s, const struct record *r, uint32_t thread)
{
	struct ring_claim claim;

	if (pp_unlikely(!claim_slot(s, thread, &claim))) {
		ring_push_late(s, r);
		return;
	}
	claim.slot->record = *r;
	(void)publish(&claim);
}

void ring_relieve(struct session *s)
{
	if (records_before(s, ring_end(s)) >= s->ring_slots / 4)
		drain_some(s, false);
}

unsigned ring_abandon(struct session *s, uint32_t thread)
{
	uint64_t t = atomic_load(&s->ring_tail);
	uint64_t end = ring_end(s);
	unsigned n = 0;

	for (; thread && t < end; t++) {
		uint64_t w = word(CLAIMED, t, thread);

		n += atomic_compare_exchange_strong(
			&slot_of(s, t)->word, &w, word(DEAD, t, thread));
	}
	return n;
}

bool ring_slot_is_full(const struct ring_slot *slot)
{
	return state_of(atomic_load(&slot->word)) == FULL;
}

/* What a dead writer left in ticket t's slot; false at the end of the ring. */
static bool recover_slot(
	struct session *s, uint64_t t, struct tally *tally, unsigned *applied)
{
	struct ring_slot *slot = slot_of(s, t);
	uint64_t w = atomic_load(&slot->word);

	/* Recycled, perhaps claimed anew: only tail had not moved on. */
	if ((w >> TICKET_SHIFT) == ((t + s->ring_slots) & TICKET_MASK))
		return true;
	if ((w >> TICKET_SHIFT) != (t & TICKET_MASK) || state_of(w) == FREE)
		return false;
	if (state_of(w) == FULL) {
		rows_apply(s, &slot->record);
		count_record(tally, &slot->record);
		++*applied;
	} else if (state_of(w) != APPLYING) {
		session_count(s, STAT_LOST_DEAD_CLAIMS, 1);
	}
	recycle(s, slot, t);
	return true;
}

/* Whatever the words were: an empty ring. */
static void reset(struct session *s)
{
	for (uint64_t t = 0; t < s->ring_slots; t++)
		atomic_store(&slot_of(s, t)->word, word(FREE, t, 0));
	atomic_store(&s->ring_tail, 0);
	atomic_store(&s->ring_hint, 0);
}

unsigned ring_recover(struct session *s)
{
	uint64_t t = atomic_load(&s->ring_tail);
	struct tally tally = { { 0 } };
	unsigned applied = 0;

	/* Twice around: a slot may have been recycled once, not more. */
	for (uint32_t i = 0; i < 2 * s->ring_slots; i++, t++)
		if (!recover_slot(s, t, &tally, &applied))
			break;
	count_tally(s, &tally);
	reset(s);
	/* It may have died while it folded. */
	atomic_store(&s->late, 1);
	rows_fold(s);
	return applied;
}
