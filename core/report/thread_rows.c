/*
 * thread_rows.c - see thread_rows.h. Context: PP_ANY.
 *
 * Labels: `state`; and for a thread that waits in a hook of ours what for, by
 * the words of the block profile (`wait`), the lock, its owner's tid and for
 * how long. They are the profile's, not the session's: a set for each thread
 * and moment would fill that up.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "find_module.h"
#include "labels.h"
#include "thread_rows.h"
#include "unwind.h"
#include "user_labels.h"

#define LABELS_OURS 5u
#define LABELS_EACH (LABELS_OURS + USER_LABELS_MAX)

struct thread_row {
	struct row_key key;
	struct snapshot_labels labels;
	struct label list[LABELS_EACH];
};

static void add_word(
	struct session *s, struct thread_row *r, const char *key, const char *w)
{
	r->list[r->labels.count++] = (struct label){ .kind = LABEL_WORD,
		.key = labels_text(s, key),
		.str = labels_text(s, w) };
}

static void add_number(
	struct session *s, struct thread_row *r, const char *key, uint64_t n)
{
	r->list[r->labels.count++] = (struct label){ .kind = LABEL_NUMBER,
		.key = labels_text(s, key),
		.num = (int64_t)n };
}

static void add_lock(struct session *s, struct thread_row *r, uint64_t lock)
{
	unsigned in = find_data_instance(s, lock, unwind_generation());

	r->list[r->labels.count++] = (struct label){ .kind = LABEL_PLACE,
		.key = labels_text(s, "lock"),
		.num = (int64_t)frame_make(lock, true, in) };
}

static void add_wait(
	struct session *s, struct thread_row *r, const struct thread_stack *t)
{
	if (t->wait.class >= WAIT_CLASSES)
		return;
	add_word(s, r, "wait", wait_class_names[t->wait.class]);
	add_number(s, r, "wait_ns", t->wait.ns);
	if (t->wait.lock)
		add_lock(s, r, t->wait.lock);
	if (t->wait.owner)
		add_number(s, r, "owner_tid", t->wait.owner);
}

static void add_users(struct session *s, struct thread_row *r, uint32_t set)
{
	unsigned n;
	const struct label *list = labels_get(s, set, &n);

	for (unsigned i = 0; i < PP_MIN(n, USER_LABELS_MAX); i++)
		r->list[r->labels.count++] = list[i];
}

static void fill(
	struct session *s, struct thread_row *r, const struct thread_stack *t)
{
	_Static_assert(LABELS_EACH <= LABELS_MAX, "room in a sample");
	r->key = (struct row_key){
		.kind = ROW_KINDS, .stack = t->stack, .tid = t->at.tid
	};
	memcpy(r->key.thread, t->name, sizeof(t->name));
	r->labels.list = r->list;
	add_word(s, r, "state", thread_doing_names[t->doing]);
	add_wait(s, r, t);
	add_users(s, r, t->labels);
}

int thread_rows(struct session *s, const struct thread_stacks *threads,
	struct arena *arena, struct snapshot *snap)
{
	uint32_t n = threads ? threads->count : 0;
	struct thread_row *rows;

	if (n == 0)
		return 0;
	rows = arena_alloc(arena, n * sizeof(*rows));
	snap->rows = arena_alloc(arena, n * sizeof(*snap->rows));
	if (!rows || !snap->rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		fill(s, &rows[i], &threads->list[i]);
		snap->rows[i] = (struct snapshot_row){ .key = &rows[i].key,
			.more = &rows[i].labels,
			.values = { 1 } };
	}
	snap->count = n;
	snap->samples = n;
	snap->threads = threads;
	return 0;
}
