/*
 * threads.c - see threads.h. Context: PP_ANY.
 *
 * Slots are found by a walk over all of them: it happens once a thread, and
 * released slots are taken first. `thread_count` is the number of slots ever
 * handed out, i.e. where the walk ends.
 */
#include "pp.h"

#include <errno.h>

#include "ring.h"
#include "sys.h"
#include "threads.h"

#define MOST_THREADS 0xfffffu /* what a ring claim can name */
#define SWEEP_FIRST 64u	      /* slots before it is worth a look */

struct thread_slot *threads_get(const struct session *s, uint32_t slot)
{
	if (!slot || slot > atomic_load(&s->thread_count))
		return NULL;
	return seglist_at(s, &s->threads, slot);
}

uint32_t threads_find(const struct session *s, uint32_t tid)
{
	uint32_t n = atomic_load(&s->thread_count);

	for (uint32_t i = 1; i <= n; i++) {
		struct thread_slot *t = threads_get(s, i);

		if (t && atomic_load(&t->tid) == tid)
			return i;
	}
	return 0;
}

static bool take(struct thread_slot *t, uint32_t tid)
{
	uint32_t nobody = 0;

	if (!atomic_compare_exchange_strong(&t->tid, &nobody, tid))
		return false;
	atomic_fetch_add(&t->generation, 1);
	return true;
}

/* Threads that libc makes by itself (SIGEV_THREAD, aio) end unseen. Looked for
 * when the slots are used up at a power of two, so it costs each new thread a
 * system call or two. Returns how many were found. */
static uint32_t sweep(struct session *s)
{
	uint32_t n = atomic_load(&s->thread_count), gone = 0;
	int pid = sys_getpid();

	if (n < SWEEP_FIRST || (n & (n - 1)))
		return 0;
	for (uint32_t i = 1; i <= n; i++) {
		struct thread_slot *t = threads_get(s, i);
		uint32_t tid = t ? atomic_load(&t->tid) : 0;

		if (!tid || sys_call3(SYS_tgkill, pid, tid, 0) != -ESRCH)
			continue;
		threads_release(s, i);
		gone++;
	}
	return gone;
}

static uint32_t take_free(struct session *s, uint32_t tid)
{
	uint32_t n = atomic_load(&s->thread_count);

	for (uint32_t i = 1; i <= n; i++) {
		struct thread_slot *t = threads_get(s, i);

		if (t && atomic_load(&t->tid) == 0 && take(t, tid))
			return i;
	}
	return 0;
}

uint32_t threads_take(struct session *s, uint32_t tid)
{
	uint32_t slot = threads_find(s, tid), n;
	struct thread_slot *t;

	if (!slot)
		slot = take_free(s, tid);
	if (!slot && sweep(s))
		slot = take_free(s, tid);
	if (slot)
		return slot;
	n = atomic_load(&s->thread_count);
	do {
		if (n >= MOST_THREADS)
			return 0;
		t = seglist_grow(s, &s->threads, n + 1);
		if (!t)
			return 0;
	} while (!atomic_compare_exchange_strong(&s->thread_count, &n, n + 1) ||
		 !take(t, tid));
	return n + 1;
}

void threads_release(struct session *s, uint32_t slot)
{
	struct thread_slot *t = threads_get(s, slot);

	if (!t)
		return;
	ring_abandon(s, slot);
	atomic_store(&t->tid, 0);
}

frame_t *threads_scratch(struct session *s, uint32_t slot, unsigned level)
{
	struct thread_slot *t = threads_get(s, slot);
	uint64_t bytes = (s->settings.max_depth + 2) * sizeof(frame_t);
	uint64_t off, none = 0;

	if (!t)
		return NULL;
	off = atomic_load(&t->scratch_off);
	if (!off) {
		off = session_extend(s, 2 * bytes);
		if (!off)
			return NULL;
		/* A handler may have been here meanwhile: its area counts. */
		if (!atomic_compare_exchange_strong(
			    &t->scratch_off, &none, off))
			off = none;
	}
	return session_at(s, off + level * bytes);
}
