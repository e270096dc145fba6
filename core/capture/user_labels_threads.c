/*
 * user_labels_threads.c - which block of labels is whose: see user_labels.h.
 * Context: PP_ANY.
 *
 * A block is never unmapped: whoever reads another thread's labels may be late.
 */
#include "pp.h"

#include <stdatomic.h>

#include "process.h"
#include "sys.h"
#include "user_labels_priv.h"

#define BLOCKS 16384u /* threads with labels at a time */
#define BLOCK_BYTES 8192u
#define ON_ITS_WAY UINT32_MAX /* owner: a thread that is being made */

_Static_assert(sizeof(struct user_labels) <= BLOCK_BYTES, "one block");

static PP_BIG _Atomic(struct user_labels *) blocks[BLOCKS];
static PP_BIG _Atomic uint32_t owners[BLOCKS]; /* tid; 0 = free */
static _Atomic uint32_t highest;	       /* index + 1 ever used */

/* --- blocks --------------------------------------------------------------- */

static struct user_labels *block_at(uint32_t i)
{
	struct user_labels *l = atomic_load(&blocks[i]);

	if (!l) {
		l = sys_map_pages(BLOCK_BYTES);
		if (l)
			l->index = i;
		atomic_store(&blocks[i], l);
	}
	return l;
}

static void note_highest(uint32_t i)
{
	uint32_t n = atomic_load(&highest);

	while (n <= i && !atomic_compare_exchange_weak(&highest, &n, i + 1))
		;
}

/* A block of ours that we do not have is one that we were about to take when we
 * were made to jump, or that of a thread that had our tid and ended unseen. */
static bool claim(uint32_t i, uint32_t owner)
{
	uint32_t was = atomic_load_explicit(&owners[i], memory_order_relaxed);

	if (was == owner && owner != ON_ITS_WAY)
		return true;
	return was == 0 &&
	       atomic_compare_exchange_strong(&owners[i], &was, owner);
}

/* The count of changes goes on: readers may still look. */
static void empty(struct user_labels *l)
{
	uint64_t changes = (atomic_load(&l->visible) >> 32) + 1;

	atomic_store(&l->visible, changes << 32);
	atomic_store(&l->known, 0);
}

struct user_labels *user_labels_take(uint32_t owner)
{
	struct user_labels *l;

	for (uint32_t i = 0; i < BLOCKS; i++) {
		if (!claim(i, owner))
			continue;
		note_highest(i);
		l = block_at(i);
		if (l)
			empty(l);
		else
			atomic_store(&owners[i], 0);
		return l;
	}
	return NULL;
}

/* Claimed comes before made: then it has no labels yet. */
const struct user_labels *user_labels_find(uint32_t tid)
{
	uint32_t n = atomic_load(&highest);

	for (uint32_t i = 0; i < n; i++) {
		if (atomic_load(&owners[i]) == tid)
			return atomic_load(&blocks[i]);
	}
	return NULL;
}

void user_labels_drop(struct user_labels *l)
{
	if (!l)
		return;
	empty(l);
	atomic_store(&owners[l->index], 0);
}

/* --- threads and processes ------------------------------------------------ */

struct user_labels *user_labels_copy(void)
{
	const struct user_labels *from = thread_state.labels;
	struct user_labels *l;
	struct view v;

	if (!from || (uint32_t)atomic_load(&from->visible) == 0)
		return NULL;
	v = view_look(from);
	l = user_labels_take(ON_ITS_WAY);
	if (!l) {
		process_count(STAT_LABELS_REFUSED, 1);
		return NULL;
	}
	for (uint32_t i = 0; i < v.n; i++) {
		l->texts[i] = from->texts[v.text[i]];
		l->texts[i].serial = l->texts[i].hides = 0;
		v.text[i] = (uint8_t)i;
	}
	view_publish(l, &v);
	return l;
}

void user_labels_adopt(struct user_labels *l)
{
	struct thread_state *t = l ? thread_state_get() : NULL;

	thread_state.labels = l;
	if (t)
		atomic_store(&owners[l->index], t->tid);
}

void user_labels_thread_end(void)
{
	struct user_labels *l = thread_state.labels;

	thread_state.labels = NULL;
	user_labels_drop(l);
}

void user_labels_forked(void)
{
	struct user_labels *mine = thread_state.labels;
	uint32_t n = atomic_load(&highest);

	for (uint32_t i = 0; i < n; i++) {
		if (!mine || mine->index != i)
			atomic_store(&owners[i], 0);
		else
			atomic_store(&owners[i], (uint32_t)sys_gettid());
	}
}
