/*
 * threads.c - see threads.h. Context: PP_ANY.
 *
 * Slots are found by a walk over all of them: it happens once a thread, and
 * released slots are taken first. `thread_count` is the number of slots ever
 * handed out, i.e. where the walk ends.
 *
 * Each taking changes the whole word `owner`, also by a thread that was given
 * the tid of one that ended unseen. So a sweep that has found such a tid's
 * thread gone, and takes the slot from it by a CAS, takes it from no other.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "ring.h"
#include "sys.h"
#include "threads.h"

#define MOST_THREADS 0xfffffu /* what a ring claim can name */
#define SWEEP_FIRST 64u	      /* slots before it is worth a look */
#define SWEPT UINT32_MAX      /* no thread's tid: being freed */

struct thread_slot *threads_get(const struct session *s, uint32_t slot)
{
	if (!slot || slot > atomic_load(&s->thread_count))
		return NULL;
	return seglist_at(s, &s->threads, slot);
}

/* From `from` (0 = free) to `tid`, as another owner. */
static bool take(struct thread_slot *t, uint32_t from, uint32_t tid)
{
	uint64_t old = atomic_load(&t->owner), owners = (old >> 32) + 1;

	return threads_tid(old) == from &&
	       atomic_compare_exchange_strong(
		       &t->owner, &old, owners << 32 | tid);
}

/* A slot that is `from`'s, or free, for tid. */
static uint32_t take_any(struct session *s, uint32_t from, uint32_t tid)
{
	uint32_t n = atomic_load(&s->thread_count);

	for (uint32_t i = 1; i <= n; i++) {
		struct thread_slot *t = threads_get(s, i);

		if (t && take(t, from, tid))
			return i;
	}
	return 0;
}

static void set_free(struct session *s, struct thread_slot *t, uint32_t slot)
{
	uint64_t count = atomic_load(&t->owner) & ~UINT64_C(0xffffffff);

	(void)ring_abandon(s, slot);
	atomic_store(&t->wait_began_ns, 0);
	atomic_store(&t->owner, count);
}

static bool is_gone(int pid, uint32_t tid)
{
	return tid && sys_call3(SYS_tgkill, pid, tid, 0) == -ESRCH;
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
		uint64_t owner = t ? atomic_load(&t->owner) : 0;

		if (!is_gone(pid, threads_tid(owner)) ||
			!atomic_compare_exchange_strong(
				&t->owner, &owner, owner | SWEPT))
			continue;
		set_free(s, t, i);
		gone++;
	}
	return gone;
}

uint32_t threads_take(struct session *s, uint32_t tid)
{
	uint32_t slot = take_any(s, tid, tid), n;
	struct thread_slot *t;

	if (!slot)
		slot = take_any(s, 0, tid);
	if (!slot && sweep(s))
		slot = take_any(s, 0, tid);
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
		 !take(t, 0, tid));
	return n + 1;
}

void threads_release(struct session *s, uint32_t slot)
{
	struct thread_slot *t = threads_get(s, slot);

	if (t)
		set_free(s, t, slot);
}

struct thread_slot *threads_find(const struct session *s, uint32_t tid)
{
	uint32_t n = atomic_load(&s->thread_count);

	for (uint32_t i = 1; i <= n; i++) {
		struct thread_slot *t = threads_get(s, i);

		if (t && threads_tid(atomic_load(&t->owner)) == tid)
			return t;
	}
	return NULL;
}

void threads_wait_begin(struct session *s, uint32_t slot, unsigned class,
	uint64_t lock, uint64_t now)
{
	struct thread_slot *t = threads_get(s, slot);

	if (!t)
		return;
	atomic_store_explicit(&t->wait_class, class, memory_order_relaxed);
	atomic_store_explicit(&t->wait_lock, lock, memory_order_relaxed);
	atomic_store_explicit(&t->wait_began_ns, now, memory_order_release);
}

void threads_wait_end(struct session *s, uint32_t slot)
{
	struct thread_slot *t = threads_get(s, slot);

	if (t)
		atomic_store_explicit(
			&t->wait_began_ns, 0, memory_order_release);
}

static uint64_t level_bytes(const struct session *s)
{
	return (s->settings.max_depth + 2) * sizeof(frame_t);
}

frame_t *threads_scratch(struct session *s, uint32_t slot, unsigned level)
{
	struct thread_slot *t = threads_get(s, slot);
	uint64_t off, none = 0;

	if (!t)
		return NULL;
	off = atomic_load(&t->scratch_off);
	if (!off) {
		off = session_extend(s, 2 * level_bytes(s));
		if (!off)
			return NULL;
		/* A handler may have been here meanwhile: its area counts. */
		if (!atomic_compare_exchange_strong(
			    &t->scratch_off, &none, off))
			off = none;
	}
	return session_at(s, off + level * level_bytes(s));
}

void threads_unshare_scratch(struct session *parents, uint32_t slot)
{
	struct thread_slot *t = threads_get(parents, slot);
	uint64_t off = t ? atomic_load(&t->scratch_off) : 0;
	size_t bytes = pp_round_up(2 * level_bytes(parents), PP_PAGE);
	void *copy = off ? sys_map_pages(bytes) : NULL;

	if (!copy)
		return;
	memcpy(copy, session_at(parents, off), bytes);
	if (sys_call6(SYS_mremap, copy, bytes, bytes,
		    MREMAP_MAYMOVE | MREMAP_FIXED, session_at(parents, off),
		    0) < 0)
		(void)sys_munmap(copy, bytes);
}
