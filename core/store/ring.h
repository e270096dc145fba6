/*
 * ring.h - records on their way to the rows, in time order.
 *
 * Any thread and any handler pushes; whoever holds the baton drains. Nobody
 * waits: a full ring is drained by the pusher, and if another holds the baton
 * the record is added to its row directly. The protocol is in ring.c.
 * Context: PP_ANY.
 */
#ifndef RING_H
#define RING_H

#include "pp.h"

#include "rows.h"
#include "session.h"

/* Slots are 64 bytes: one word of state and a record. */
struct ring_slot {
	_Atomic uint64_t word;
	struct record record;
};

/* A slot that is this thread's to write. */
struct ring_claim {
	struct ring_slot *slot;
	uint64_t ticket;
	uint32_t thread;
};

/* A record will be pushed soon: fetch the next slot into the cache, written by
 * whoever was here a thousand records ago. */
static inline void ring_prefetch(const struct session *s)
{
	const struct ring_slot *slots = session_at(s, s->ring_off);
	uint64_t hint = atomic_load_explicit(
		&s->ring_hint, memory_order_relaxed);

	__builtin_prefetch(&slots[hint & (s->ring_slots - 1)], 1);
}

/* The steps of ring_push(). Claim: false when the ring is full and cannot be
 * drained. */
bool ring_claim(struct session *s, uint32_t thread, bool in_handler,
	struct ring_claim *ret) PP_ANY;
void ring_commit(struct session *s, const struct ring_claim *claim,
	bool in_handler) PP_ANY;
void ring_push_late(struct session *s, const struct record *r) PP_ANY;

/* Push without ever draining, where the host should not wait for that: between
 * getting a lock and giving it back. A record that finds no room is added to
 * its row directly. */
void ring_push_undrained(
	struct session *s, const struct record *r, uint32_t thread) PP_ANY;

/* Drain if the ring is a quarter full: before waiting for something, so that
 * ring_push_undrained() finds room afterwards. Not in handlers. */
void ring_relieve(struct session *s) PP_ANY;

/*
 * Push r for the thread slot `thread` (threads.h; 0 = none). Drains when the
 * ring is half full: everything from a hook, at most RING_HANDLER_DRAIN
 * records when `in_handler` (all signals are blocked there already; from a
 * hook they are blocked around the drain). Never fails and never waits.
 *
 * Inlined so that the record's fields go from registers to the slot: put
 * together on the stack and copied, narrow stores meet wide loads, and each
 * such load waits for the stores to reach the cache.
 */
static inline __attribute__((always_inline)) void ring_push(
	struct session *s, struct record r, uint32_t thread, bool in_handler)
{
	struct ring_claim claim;

	if (pp_likely(ring_claim(s, thread, in_handler, &claim))) {
		claim.slot->record = r;
		ring_commit(s, &claim, in_handler);
	} else {
		struct record copy = r;

		ring_push_late(s, &copy);
	}
}

#define RING_HANDLER_DRAIN 64u

/* The baton: the right to drain and to read rows at rest. Take it only with
 * all signals blocked. */
bool baton_try(struct session *s) PP_ANY;
/* Try for at most `ns` nanoseconds, yielding the processor between tries. */
bool baton_wait(struct session *s, uint64_t ns) PP_ANY;
void baton_release(struct session *s) PP_ANY;

/* Apply up to `most` records in order; stops at a claim still being written.
 * Baton holder only. Returns how many were applied. */
unsigned ring_drain(struct session *s, unsigned most) PP_ANY;

/* The ticket after the last one claimed: all before it were pushed or are
 * being. */
uint64_t ring_end(const struct session *s) PP_ANY;

/* Give up a claim that will never be completed (the writer's frame is gone):
 * all claims of this thread slot become dead and counted. Returns how many. */
unsigned ring_abandon(struct session *s, uint32_t thread) PP_ANY;

/* For a session whose process is dead, or a copy: applies what was FULL, counts
 * claims as lost, leaves the ring empty. Returns records applied. */
unsigned ring_recover(struct session *s) PP_ANY;

/* Its record is complete and not yet added to a row. */
bool ring_slot_is_full(const struct ring_slot *slot) PP_ANY;

#endif
