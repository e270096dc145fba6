/*
 * registry.h - the threads whose CPU time is counted, one entry each.
 *
 * Not in TLS: at process end, and when a profile is stopped, one thread
 * settles the accounts of all. An entry is found by its index, which every
 * timer carries in its sival together with the entry's generation, so that a
 * late signal of a deleted timer is recognised.
 *
 * Locking: registry_lock() (all signals blocked by the caller) around all but
 * registry_at() and the atomics. Context: PP_ANY.
 */
#ifndef REGISTRY_H
#define REGISTRY_H

#include <stdatomic.h>

#include "pp.h"

struct counted_thread {
	_Atomic uint32_t tid;	     /* 0 = entry is free */
	_Atomic uint32_t generation; /* counts the entry's users */
	uint32_t next;		     /* hash chain, or free list */
	_Atomic int32_t timer;	     /* kernel timer id; -1 = none */
	uint64_t start_pc;	     /* start routine; 0 = main or unknown */
	/* On the thread's CPU clock: counting starts, first expiry. */
	uint64_t base_ns, first_ns;
	_Atomic uint64_t recorded; /* expiries seen: sum of 1 + overrun */
	uint32_t index;
	/* Certainly a thread of libc's: it has variables of its own. */
	_Atomic bool has_tls;
	bool paused; /* has no timer for the time being */
};

void registry_lock(void) PP_ANY;
/* Gives up after about `ns` nanoseconds. */
bool registry_lock_for(uint64_t ns) PP_ANY;
bool registry_try_lock(void) PP_ANY;
void registry_unlock(void) PP_ANY;

/* The entry of a tid; NULL if it has none. */
struct counted_thread *registry_find(uint32_t tid) PP_ANY;
/* A fresh entry for a tid that has none; NULL when memory is refused. */
struct counted_thread *registry_add(uint32_t tid) PP_ANY;
void registry_remove(struct counted_thread *t) PP_ANY;
/* Entry i, also a free one; NULL past the end. Without lock. */
struct counted_thread *registry_at(uint32_t index) PP_ANY;
/* Entries 1..registry_size() exist. */
uint32_t registry_size(void) PP_ANY;
uint32_t registry_count(void) PP_ANY;
/* A forked child: no thread of the parent's is here. Also frees the lock. */
void registry_reset(void) PP_ANY;

#endif
