/*
 * session_check.c - see session_open.h: one walk over a copied session, before
 * any other code reads it.
 *
 * What the geometry of the tables depends on has to be right, or the whole is
 * refused. A row or a record that cannot be (its stack lies outside, its
 * numbers would overflow a sum) is emptied and counted: in a session that was
 * copied while its process was at work there may be some. What a frame or a
 * live entry names is looked up by functions that know ids which do not exist.
 *
 * Context: PP_ANY; the copy is ours alone.
 */
#include "pp.h"

#include "modules.h"
#include "ring.h"
#include "rows.h"
#include "session_layout.h"
#include "session_open.h"
#include "stacks.h"

#define CAP_MAX (UINT64_C(1) << 40)
/* Values of a row: sums of millions of them are numbers still. */
#define VALUE_MAX (UINT64_C(1) << 56)

/* --- the header ----------------------------------------------------------- */

struct text_field {
	uint32_t off, size;
};
#define TEXT(field)                                                 \
	{                                                           \
		offsetof(struct session, field),                    \
			sizeof(((const struct session *)0)->field), \
	}
static const struct text_field texts[] = {
	TEXT(exe_path),
	TEXT(file_path),
	TEXT(settings.output),
	TEXT(settings.session_dir),
	TEXT(settings.log_path),
	TEXT(settings.status_path),
	TEXT(settings.program),
	TEXT(settings.host),
};

static bool texts_end(const struct session *s)
{
	for (unsigned i = 0; i < PP_ARRAY_LEN(texts); i++) {
		const char *text = session_at(s, texts[i].off);

		if (text[texts[i].size - 1] != '\0')
			return false;
	}
	return true;
}

static bool settings_can_be(const struct settings *set)
{
	return set->profiles < PROFILE_BIT(PROFILE_KINDS) &&
	       set->heap_rate < VALUE_MAX && set->max_depth <= STACK_MAX_DEPTH;
}

static bool lies_within(const struct session *s, uint64_t off, uint64_t bytes)
{
	uint64_t used = atomic_load(&s->used);

	return off % PP_PAGE == 0 && off >= s->header_bytes && off <= used &&
	       bytes <= used - off;
}

static bool ring_can_be(const struct session *s)
{
	return s->ring_slots == SESSION_RING_SLOTS &&
	       lies_within(s, s->ring_off,
		       s->ring_slots * sizeof(struct ring_slot));
}

int session_check_header(struct session *s)
{
	uint64_t used = atomic_load(&s->used);

	if (s->header_bytes != pp_round_up(sizeof(*s), PP_PAGE) ||
		s->cap > CAP_MAX || used > s->cap || used < s->header_bytes ||
		used % PP_PAGE || !ring_can_be(s) || !texts_end(s) ||
		!settings_can_be(&s->settings))
		return SESSION_DAMAGED;
	if (atomic_load(&s->seen_mono_ns) < s->start_mono_ns)
		atomic_store(&s->seen_mono_ns, s->start_mono_ns);
	return 0;
}

/* --- tables --------------------------------------------------------------- */

/* Segments lie one after the other: what follows a missing one is not looked
 * for by anyone. */
static bool table_can_be(
	const struct session *s, const struct seglist *l, unsigned number)
{
	const struct session_table *t = &session_tables[number];

	if (l->first_bits != t->first_bits || l->elem_bytes != t->elem_bytes)
		return false;
	for (unsigned k = 0; k < SESSION_SEGMENTS; k++) {
		uint64_t off = atomic_load(&l->seg[k]);

		if (off &&
			!lies_within(s, off,
				(uint64_t)seglist_size(l, k) * l->elem_bytes))
			return false;
	}
	return true;
}

/* Elements 0..n-1 are in segments that are there. */
static uint32_t table_room(const struct seglist *l)
{
	unsigned k = 0;

	while (k < SESSION_SEGMENTS && atomic_load(&l->seg[k]))
		k++;
	return (1u << (l->first_bits + k)) - (1u << l->first_bits);
}

static void limit_count(_Atomic uint32_t *count, const struct seglist *l)
{
	uint32_t room = table_room(l);

	if (atomic_load(count) >= room)
		atomic_store(count, room ? room - 1 : 0);
}

/* A segment of values is made before that of its keys. */
static bool live_can_be(const struct session *s)
{
	for (unsigned k = 0; k < SESSION_SEGMENTS; k++) {
		if (atomic_load(&s->live_keys.seg[k]) &&
			!atomic_load(&s->live_values.seg[k]))
			return false;
	}
	return true;
}

/* --- rows and records ----------------------------------------------------- */

static void leave_out(struct session *s)
{
	session_count(s, STAT_DAMAGED, 1);
}

static bool values_can_be(const uint64_t *values, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t v = values[i];

		if (v >= VALUE_MAX && v <= -VALUE_MAX)
			return false;
	}
	return true;
}

static bool row_can_be(const struct session *s, const struct row *row)
{
	const struct stack *stack = stacks_get(s, row->key.stack);

	return row->key.kind < ROW_KINDS && stack && stack->depth &&
	       values_can_be((const uint64_t *)(const void *)&row->cpu,
		       (sizeof(*row) - offsetof(struct row, cpu)) /
			       sizeof(uint64_t));
}

static bool all_zero(const void *bytes, size_t n)
{
	const char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

static bool is_empty(const struct row *row)
{
	return all_zero(&row->cpu, sizeof(*row) - offsetof(struct row, cpu));
}

static bool row_is_used(const struct row *row)
{
	return !all_zero(row, sizeof(*row));
}

/* Killed while its key was written: nobody knew it yet. */
static void check_rows(struct session *s)
{
	uint32_t n = atomic_load(&s->row_count);

	for (uint32_t id = 1; id <= n; id++) {
		struct row *row = rows_get(s, id);

		if (row_can_be(s, row))
			continue;
		if (!is_empty(row))
			leave_out(s);
		/* Not in holes: the file may claim gigabytes of them. */
		if (row_is_used(row))
			__builtin_memset(row, 0, sizeof(*row));
	}
}

/* The kind of row a kind of record is added to. */
static const uint8_t row_of[RECORD_KINDS] = {
	[RECORD_WAIT] = ROW_BLOCK, /* or another that has `wait` */
	[RECORD_NONE] = ROW_KINDS,
	[RECORD_CPU] = ROW_CPU,
	[RECORD_ALLOC] = ROW_HEAP,
	[RECORD_FREE] = ROW_HEAP,
	[RECORD_UNTRACKED] = ROW_HEAP,
};

static bool goes_to(uint16_t record_kind, uint16_t row_kind)
{
	return row_kind == row_of[record_kind] ||
	       (record_kind == RECORD_WAIT &&
		       (row_kind == ROW_MUTEX || row_kind == ROW_THREADCREATE));
}

static bool record_can_be(const struct session *s, const struct record *r)
{
	const struct row *row;

	if (r->kind >= RECORD_KINDS || r->row > atomic_load(&s->row_count))
		return false;
	row = rows_get(s, r->row);
	return row && row->key.stack && goes_to(r->kind, row->key.kind) &&
	       r->count < VALUE_MAX && r->amount < VALUE_MAX &&
	       r->size < VALUE_MAX;
}

static void check_ring(struct session *s)
{
	struct ring_slot *slots = session_at(s, s->ring_off);

	for (uint32_t i = 0; i < s->ring_slots; i++) {
		struct record *r = &slots[i].record;

		if (!ring_slot_is_full(&slots[i]) || record_can_be(s, r))
			continue;
		leave_out(s);
		*r = (struct record){ .kind = RECORD_NONE };
	}
}

/* --- modules -------------------------------------------------------------- */

static bool path_ends(const struct session *s, const struct module *m)
{
	uint64_t used = atomic_load(&s->used);
	const char *path;

	if (m->path_off < s->header_bytes || m->path_off >= used ||
		m->path_len >= used - m->path_off)
		return false;
	path = session_at(s, m->path_off);
	return path[m->path_len] == '\0';
}

static void check_modules(struct session *s)
{
	uint32_t n = atomic_load(&s->module_count);

	for (uint32_t i = 1; i <= n; i++) {
		struct module *m = seglist_at(s, &s->modules, i);

		if (m->path_off && !path_ends(s, m))
			m->path_off = 0;
		if (m->path_off == 0)
			m->path_len = 0;
		if (m->build_id_len > MODULE_BUILD_ID_MAX ||
			m->kind > MODULE_JIT || m->limit < m->start ||
			m->limit > FRAME_PC_MASK)
			*m = (struct module){ 0 };
	}
}

int session_check(struct session *s)
{
	if (!ring_can_be(s) || !live_can_be(s))
		return SESSION_DAMAGED;
	for (unsigned i = 0; i < SESSION_TABLES; i++) {
		if (!table_can_be(s, session_table(s, i), i))
			return SESSION_DAMAGED;
	}
	limit_count(&s->row_count, &s->rows);
	limit_count(&s->module_count, &s->modules);
	limit_count(&s->thread_count, &s->threads);
	check_rows(s);
	check_modules(s);
	check_ring(s);
	return 0;
}
