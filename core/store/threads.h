/*
 * threads.h - a slot in the session for each thread that recorded something:
 * its identity for ring claims and traces, and its scratch memory.
 *
 * What a thread needs before there is a session (timer, countdown, bounds of
 * the stack) is in core/capture/thread_state.h.
 *
 * Slot 0 is never used. A slot is taken by the thread itself, by its creator
 * or by a scan, and freed at thread end or when a scan no longer finds the
 * thread. Ring claims name the slot. Context: PP_ANY.
 */
#ifndef THREADS_H
#define THREADS_H

#include "pp.h"

#include "frame.h"
#include "session.h"

struct thread_slot {
	/* The owner's tid, 0 = free; above it a count of owners: threads.c. */
	_Atomic uint64_t owner;
	_Atomic uint64_t scratch_off; /* frames of the hook's walk, then of the
					 handler's; 0 = none yet; kept for the
					 slot's next owner */
	/* What the owner waits for in a hook: written by itself, read while it
	 * sleeps and after its death. */
	_Atomic uint64_t wait_began_ns; /* CLOCK_MONOTONIC; 0 = nothing */
	_Atomic uint64_t wait_lock;	/* address; 0 = no lock; of a condition,
					   its mutex */
	_Atomic uint32_t wait_class;	/* enum wait_class */
	char name[16];			/* last seen */
};

static inline uint32_t threads_tid(uint64_t owner)
{
	return (uint32_t)owner;
}

/* Take a free slot for tid. Returns its number, or 0 when the session is full.
 * A slot that tid already has is returned again. */
uint32_t threads_take(struct session *s, uint32_t tid) PP_ANY;
void threads_release(struct session *s, uint32_t slot) PP_ANY;
/* NULL for 0 and for numbers never handed out. */
struct thread_slot *threads_get(const struct session *s, uint32_t slot) PP_ANY;

/* The slot of a thread that has one; NULL. */
struct thread_slot *threads_find(const struct session *s, uint32_t tid) PP_ANY;

/* Owning thread only; lock 0 = no lock. */
void threads_wait_begin(struct session *s, uint32_t slot, unsigned class,
	uint64_t lock, uint64_t now) PP_ANY;
void threads_wait_end(struct session *s, uint32_t slot) PP_ANY;

/* Scratch memory for one walk: room for PPROFC_MAX_DEPTH + 2 frames. `level` 0
 * is the hook's, 1 the handler's (which may interrupt the hook). NULL when the
 * session is full. Owning thread only. */
frame_t *threads_scratch(
	struct session *s, uint32_t slot, unsigned level) PP_ANY;

/* In a child that a fork made in the middle of a walk, and that goes on with
 * it: from now on in memory of its own, or the parent would find the frames of
 * this one in its next stack. */
void threads_unshare_scratch(struct session *parents, uint32_t slot) PP_ANY;

#endif
