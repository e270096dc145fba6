/*
 * rows.c - see rows.h. Context: PP_ANY.
 *
 * The peak. heap_epoch counts new maxima of heap_live_bytes. A row's in-use
 * value at the latest maximum is its value now if it has not changed since
 * (seen_epoch != heap_epoch), else peak_*, which the first change after the
 * maximum saved. So a maximum costs one increment however many rows there are.
 */
#include "pp.h"

#include <errno.h>

#include "index.h"
#include "rows.h"
#include "stacks.h"

#define get(p) atomic_load_explicit((p), memory_order_relaxed)
#define set(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define add(p, v) set((p), get(p) + (v)) /* baton holder only */
#define add_shared(p, v) \
	atomic_fetch_add_explicit((p), (v), memory_order_relaxed)

static uint64_t hash_key(const struct row_key *key)
{
	uint64_t w[4], h = 0;

	_Static_assert(sizeof(*key) == sizeof(w), "row_key has no padding");
	__builtin_memcpy(w, key, sizeof(w));
	for (unsigned i = 0; i < PP_ARRAY_LEN(w); i++)
		h = pp_mix(h ^ w[i]);
	return h;
}

static bool equal(const struct session *s, uint32_t id, const void *key)
{
	const struct row *row = rows_get(s, id);

	return row && __builtin_memcmp(&row->key, key, sizeof(row->key)) == 0;
}

static uint32_t make(struct session *s, const void *key, uint64_t hash)
{
	uint32_t n = get(&s->row_count);
	struct row *row;

	(void)hash;
	/* No id without its row: what is left of a full session stays small. */
	do {
		row = seglist_grow(s, &s->rows, n + 1);
		if (!row)
			return 0;
	} while (!atomic_compare_exchange_weak(&s->row_count, &n, n + 1));
	__builtin_memcpy(&row->key, key, sizeof(row->key));
	return n + 1;
}

uint32_t rows_intern(struct session *s, const struct row_key *key)
{
	uint32_t id = 0;

	if (key->stack)
		id = index_intern(
			s, &s->row_index, hash_key(key), key, equal, make);
	if (id)
		return id;
	session_count(s, STAT_OVERFLOW, 1);
	return s->overflow_rows[key->kind];
}

int rows_prepare(struct session *s)
{
	frame_t overflow = frame_synthetic(FRAME_OVERFLOW);
	_Static_assert(PP_ARRAY_LEN(s->overflow_rows) >= ROW_KINDS, "one each");
	uint32_t stack = stacks_intern(s, &overflow, 1);

	for (unsigned kind = 0; kind < ROW_KINDS; kind++) {
		struct row_key key = { .stack = stack, .kind = (uint16_t)kind };
		uint32_t id = stack ? rows_intern(s, &key) : 0;

		if (!id)
			return -ENOSPC;
		s->overflow_rows[kind] = id;
	}
	return 0;
}

/* Before a row's in-use value changes: keep what it was at the maximum. */
static void save_peak(struct session *s, struct row *row)
{
	uint32_t epoch = get(&s->heap_epoch);

	if (get(&row->seen_epoch) == epoch)
		return;
	set(&row->heap.peak_objects, get(&row->heap.live_objects));
	set(&row->heap.peak_bytes, get(&row->heap.live_bytes));
	set(&row->seen_epoch, epoch);
}

static void change_live(
	struct session *s, struct row *row, int64_t objects, int64_t bytes)
{
	int64_t live = get(&s->heap_live_bytes) + bytes;

	save_peak(s, row);
	add(&row->heap.live_objects, objects);
	add(&row->heap.live_bytes, bytes);
	set(&s->heap_live_bytes, live);
	if (live > get(&s->heap_peak_bytes)) {
		set(&s->heap_peak_bytes, live);
		add(&s->heap_epoch, 1);
	}
}

void rows_apply(struct session *s, const struct record *r)
{
	struct row *row = rows_get(s, r->row);

	if (!row)
		return; /* only in a damaged file */
	switch (r->kind) {
	case RECORD_CPU:
		add_shared(&row->cpu.samples, r->count);
		add_shared(&row->cpu.ns, r->amount);
		return;
	case RECORD_WAIT:
		add_shared(&row->wait.raw, r->size);
		add_shared(&row->wait.count, r->count);
		add_shared(&row->wait.ns, r->amount);
		return;
	case RECORD_ALLOC:
	case RECORD_UNTRACKED:
		add(&row->heap.raw_objects, 1);
		add(&row->heap.raw_bytes, r->size);
		add(&row->heap.objects, r->count);
		add(&row->heap.bytes, r->amount);
		if (r->kind == RECORD_ALLOC)
			change_live(
				s, row, (int64_t)r->count, (int64_t)r->amount);
		return;
	case RECORD_FREE:
		change_live(s, row, -(int64_t)r->count, -(int64_t)r->amount);
		return;
	default:
		return;
	}
}

void rows_apply_late(struct session *s, const struct record *r)
{
	struct row *row = rows_get(s, r->row);
	struct row_late *late;
	int64_t sign = r->kind == RECORD_FREE ? -1 : 1;

	if (!row || row->key.kind != ROW_HEAP) {
		rows_apply(s, r);
		return;
	}
	late = &row->heap.late;
	if (r->kind != RECORD_FREE) {
		add_shared(&late->raw_objects, 1);
		add_shared(&late->raw_bytes, r->size);
		add_shared(&late->objects, r->count);
		add_shared(&late->bytes, r->amount);
	}
	if (r->kind != RECORD_UNTRACKED) {
		add_shared(&late->live_objects, sign * (int64_t)r->count);
		add_shared(&late->live_bytes, sign * (int64_t)r->amount);
	}
	/* After the additions: whoever sees the mark sees them. */
	atomic_store_explicit(&s->late, 1, memory_order_release);
}

static void fold_row(struct session *s, struct row *row)
{
	struct row_late *late = &row->heap.late;
	int64_t objects, bytes;

	objects = atomic_exchange(&late->live_objects, 0);
	bytes = atomic_exchange(&late->live_bytes, 0);
	if (objects || bytes)
		change_live(s, row, objects, bytes);
}

void rows_fold(struct session *s)
{
	uint32_t n;

	if (!get(&s->late) ||
		!atomic_exchange_explicit(&s->late, 0, memory_order_acquire))
		return;
	n = get(&s->row_count);
	for (uint32_t id = 1; id <= n; id++) {
		struct row *row = rows_get(s, id);

		if (row && row->key.kind == ROW_HEAP)
			fold_row(s, row);
	}
}

void rows_peak(const struct session *s, const struct row *row,
	int64_t *ret_objects, int64_t *ret_bytes)
{
	bool changed_since = get(&row->seen_epoch) == get(&s->heap_epoch);

	*ret_objects = changed_since ? get(&row->heap.peak_objects)
				     : get(&row->heap.live_objects);
	*ret_bytes = changed_since ? get(&row->heap.peak_bytes)
				   : get(&row->heap.live_bytes);
}
