/*
 * lock_table.h - who waits for which lock, as far as needed to charge the one
 * who lets them wait.
 *
 * An entry holds {n, sum} of a lock's waiters: how many there are and the sum
 * of the moments from which their waiting is not yet charged. A release charges
 * n * now - sum and sets sum = n * now: the rule of Go 1.22, but exact. A
 * waiter that got the lock subtracts the moment its part of the sum has; one
 * that gave up (a timeout) leaves what it has waited to the next release.
 *
 * The lock is a number here: no memory of the host's is read. Entries are
 * found by address, used anew when nobody waits, and wiped by a fork.
 * Lock-free: a host's handler may come in between anywhere. Context: PP_ANY.
 */
#ifndef LOCK_TABLE_H
#define LOCK_TABLE_H

#include <stdatomic.h>

#include "pp.h"

#define LOCK_WAYS 15u
#define LOCK_BUCKETS 128u

/* One 16-byte unit of change. */
struct lock_state {
	uint64_t head; /* tag 32, owing 1, n 31: lock_table.c */
	uint64_t sum;  /* modulo 2^64 */
} __attribute__((aligned(16)));

struct lock_entry {
	struct lock_state state;
	_Atomic uint64_t last;	   /* when the last release was */
	_Atomic uint64_t releaser; /* and what it is charged to */
	_Atomic uint64_t rest;	   /* ns for a releaser that has no row yet */
};

struct lock_bucket {
	_Atomic uint32_t waiting; /* waiters here, and entries that owe */
	uint32_t unused;
	_Atomic uint64_t keys[LOCK_WAYS];
	struct lock_entry entries[LOCK_WAYS];
} __attribute__((aligned(PP_CACHE_LINE)));

struct lock_table {
	_Alignas(PP_CACHE_LINE) _Atomic uint32_t waiting; /* in all buckets */
	struct lock_bucket buckets[LOCK_BUCKETS];
};

static inline unsigned lock_bucket(const void *lock)
{
	return (uint64_t)(uintptr_t)lock * 0x9e3779b97f4a7c15u >> 57;
}
_Static_assert(LOCK_BUCKETS == 1u << (64 - 57), "lock_bucket()");

/* A waiter's entry; tag 0 = none. */
struct lock_token {
	uint32_t entry; /* bucket * LOCK_WAYS + way */
	uint32_t tag;
	uint64_t began;
};

/* One release that others waited for. */
struct lock_release {
	uint64_t ns; /* charged */
	uint32_t bucket;
	uint32_t ways; /* bit mask of its entries (one but in a race) */
	uint32_t seq;  /* which release this is */
};

/* What a release is charged to: a row and its weight as a power of two, or
 * LOCK_NOT_SAMPLED. */
#define LOCK_NOT_SAMPLED UINT32_MAX

/* In *ret_row of lock_table_leave(): the lock was had after such a time without
 * a release here, so nobody is charged with this wait, nor with that of those
 * who wait on until now. */
#define LOCK_UNSEEN (UINT32_MAX - 1)
#define LOCK_UNSEEN_NS UINT64_C(10000000)

/* Wait from `now` on. False when the table has no room. */
bool lock_table_enter(struct lock_table *t, const void *lock, uint64_t now,
	struct lock_token *ret) PP_ANY;

/*
 * No longer: the lock is ours (`got`), or the time was up. When it was released
 * in between, the time since then belongs to that release: *ret_row and
 * *ret_shift say which, and the result is the time; 0 if there is nothing to
 * charge, or if the releaser will charge it (it does not know its row yet).
 */
uint64_t lock_table_leave(struct lock_table *t, const struct lock_token *token,
	uint64_t now, bool got, uint32_t *ret_row, unsigned *ret_shift) PP_ANY;

/* The wait has ended unseen (siglongjmp, the thread's end): forget it. */
void lock_table_forget(
	struct lock_table *t, const struct lock_token *token) PP_ANY;

/* May anybody wait for this lock? */
static inline bool lock_table_awaited(
	const struct lock_table *t, const void *lock)
{
	return atomic_load_explicit(&t->buckets[lock_bucket(lock)].waiting,
		       memory_order_relaxed) != 0;
}

/* Called when the first waiter comes or the last one has gone. */
extern void (*lock_table_changed)(void) __attribute__((visibility("hidden")));

/* The lock is about to be released. False when nobody waits. */
bool lock_table_release(struct lock_table *t, const void *lock, uint64_t now,
	struct lock_release *ret) PP_ANY;

/* What that is charged to has become known. Returns the time that waiters have
 * left to it meanwhile. */
uint64_t lock_table_charged(struct lock_table *t, const struct lock_release *r,
	uint32_t row, unsigned shift) PP_ANY;

#endif
