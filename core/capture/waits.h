/*
 * waits.h - waits for locks and other things, and releases of locks that others
 * wait for: from the hooks to the rows of the block and mutex profiles.
 *
 * Around a call that waits:
 *
 *	struct wait w;
 *
 *	wait_begin(&w, WAIT_MUTEX, mutex);
 *	ret = real.pthread_mutex_lock(mutex);
 *	wait_end(&w, ret == 0);
 *
 * Between the two nothing is held that a thread which never comes back
 * (cancelled, siglongjmp) would leave behind, but its place in the lock table;
 * that is given up at its next wait or its end.
 *
 * Around one that releases:
 *
 *	released = release_begin(&r, mutex);
 *	ret = real.pthread_mutex_unlock(mutex);
 *	if (released)
 *		release_end(&r);
 *
 * The stack of a wait for a lock is walked before it, while the lock is
 * somebody else's anyway, and that of a release after it: neither makes the
 * time longer for which a lock is held. The release that is part of a wait for
 * a condition is the exception.
 *
 * Context: PP_ANY. errno is left alone.
 */
#ifndef WAITS_H
#define WAITS_H

#include "pp.h"

#include "arch.h"
#include "lock_table.h"
#include "process.h"
#include "settings.h"

struct wait {
	uint64_t began; /* CLOCK_MONOTONIC; 0: not recorded */
	uint32_t generation;
	uint32_t row;	/* of the block profile; 0 = not sampled or not yet */
	uint8_t class;	/* enum wait_class */
	uint8_t shift;	/* the weight is 1 << shift */
	uint8_t late;	/* the stack is walked afterwards */
	uint8_t listed; /* in the lock table, with `token` */
	struct lock_token token;
	const void *frame; /* the hook's, while listed */
};

struct release {
	struct lock_release table;
	const void *lock;
	uint64_t now;
	uint32_t generation;
};

/* Is this class recorded anywhere? Constant once the settings are read. */
bool waits_wanted(enum wait_class class) PP_ANY;

/* `lock`: what the mutex profile charges the releaser of; or NULL. Of a
 * condition, the mutex that the thread will want to have again. */
void wait_begin_at(struct wait *w, enum wait_class class, const void *lock,
	const struct arch_regs *regs) PP_ANY;
void wait_end_at(struct wait *w, bool got, const struct arch_regs *regs) PP_ANY;

/* May anybody wait for this lock? */
static inline bool release_awaited(const void *lock)
{
	return lock_table_awaited(&process_wiped.locks, lock);
}

/* Before the lock is released: is there something to charge? */
bool release_begin(struct release *r, const void *lock) PP_ANY;
void release_end_at(struct release *r, const struct arch_regs *regs) PP_ANY;

/* The calling thread ends. */
void waits_thread_end(void) PP_ANY;

/* The stack starts at the frame of the hook. */
static inline __attribute__((always_inline)) void wait_begin(
	struct wait *w, enum wait_class class, const void *lock)
{
	struct arch_regs regs;

	arch_regs_here(&regs);
	wait_begin_at(w, class, lock, &regs);
}

static inline __attribute__((always_inline)) void wait_end(
	struct wait *w, bool got)
{
	struct arch_regs regs;

	if (!w->began)
		return;
	arch_regs_here(&regs);
	wait_end_at(w, got, &regs);
}

static inline __attribute__((always_inline)) void release_end(struct release *r)
{
	struct arch_regs regs;

	arch_regs_here(&regs);
	release_end_at(r, &regs);
}

#endif
