/*
 * profile.c - see profile.h. Context: PP_ANY.
 *
 * Steps: collect the locations of all stacks, find their names, strip frames
 * that are not the program's, merge what has become equal, write. A merged
 * sample keeps the row it was first seen in; its stack is stripped again when
 * it is needed, which costs less than keeping it.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "comments.h"
#include "encode.h"
#include "kinds.h"
#include "known_names.h"
#include "locations.h"
#include "places.h"
#include "profile.h"
#include "size_class.h"
#include "stacks.h"
#include "strings.h"

#define FRAMES_MAX (STACK_MAX_DEPTH + 2) /* and our own end frames */
#define LEAF_FRAMES 4u /* deepest nesting of allocator frames */

struct sample {
	const struct row_key *key; /* of its first row */
	const struct snapshot_labels *more;
	uint32_t thread; /* string */
	uint32_t hash;
	int64_t values[SNAPSHOT_COLUMNS];
};

struct profile {
	const struct snapshot *snap;
	const struct report_request *request;
	struct arena *arena;
	struct strings strings;
	struct locations locations;
	struct places places;
	struct encoder encoder;
	struct sample *samples;
	uint32_t count;
	uint32_t *slots; /* hash table of sample numbers + 1 */
	uint32_t mask;
	uint32_t *frames[2]; /* two stripped stacks, FRAMES_MAX each */
	uint64_t *ids;
};

/* --- collecting ---------------------------------------------------------- */

static unsigned depth_of(const struct stack *stack)
{
	return PP_MIN(stack->depth, FRAMES_MAX);
}

static const struct stack *stack_of(
	const struct profile *p, const struct row_key *key)
{
	return stacks_get(p->snap->session, key->stack);
}

static bool is_heap(const struct profile *p)
{
	return (PROFILE_BIT(p->request->kind) & PROFILE_HEAP_FAMILY) != 0;
}

/* Without embedded names only those are needed that stripping goes by. */
static bool name_wanted(const struct profile *p, unsigned depth)
{
	return p->locations.embed || (is_heap(p) && depth < LEAF_FRAMES);
}

static int collect(struct profile *p)
{
	for (uint32_t i = 0; i < p->snap->count; i++) {
		const struct stack *stack = stack_of(p, p->snap->rows[i].key);

		for (unsigned f = 0; stack && f < depth_of(stack); f++) {
			if (!locations_add(&p->locations, stack->frames[f],
				    name_wanted(p, f)))
				return -ENOMEM;
		}
	}
	return 0;
}

/* --- stripping ----------------------------------------------------------- */

static bool is_real(const struct profile *p, uint32_t location)
{
	return frame_module(p->locations.list[location].key) != FRAME_SYNTHETIC;
}

static uint32_t flags_of(const struct profile *p, uint32_t location)
{
	return p->locations.list[location].flags;
}

/* Frames [0, n) of the allocator's that may go: the caller has to remain. */
static unsigned allocator_frames(
	const struct profile *p, const uint32_t *at, unsigned n)
{
	unsigned k = 0;

	if (!is_heap(p))
		return 0;
	while (k < n && (flags_of(p, at[k]) & LOCATION_ALLOCATOR))
		k++;
	return k < n && is_real(p, at[k]) ? k : 0;
}

/* The stack as it is reported: frames of ours removed wherever they are (a
 * thread's first function is called by us), then the allocator's at the leaf.
 * A stack of nothing else is kept whole. Returns the number of frames. */
static unsigned strip(
	struct profile *p, const struct row_key *key, uint32_t *to)
{
	const struct stack *stack = stack_of(p, key);
	unsigned n = 0, all = stack ? depth_of(stack) : 0, drop;
	bool real = false;

	for (unsigned f = 0; f < all; f++) {
		uint32_t at = locations_add(
			&p->locations, stack->frames[f], false);

		if (flags_of(p, at) & LOCATION_OURS)
			continue;
		real |= is_real(p, at);
		to[n++] = at;
	}
	if (!real && n < all) {
		for (n = 0; n < all; n++)
			to[n] = locations_add(
				&p->locations, stack->frames[n], false);
	}
	drop = allocator_frames(p, to, n);
	memmove(to, to + drop, (n - drop) * sizeof(*to));
	return n - drop;
}

/* --- merging ------------------------------------------------------------- */

static uint32_t hash_sample(
	const struct sample *s, const uint32_t *at, unsigned n)
{
	uint64_t h = pp_mix(s->key->tid | (uint64_t)s->key->labels << 32) +
		     pp_mix(s->thread | (uint64_t)s->key->size_class << 32);

	for (unsigned i = 0; i < n; i++)
		h = pp_mix(h ^ at[i]);
	return (uint32_t)h;
}

static bool same_labels(const struct sample *a, const struct sample *b)
{
	return a->thread == b->thread && a->key->tid == b->key->tid &&
	       a->key->labels == b->key->labels && a->more == b->more &&
	       a->key->size_class == b->key->size_class;
}

static bool same_stack(struct profile *p, const struct sample *a, unsigned n)
{
	return strip(p, a->key, p->frames[1]) == n &&
	       memcmp(p->frames[0], p->frames[1], n * sizeof(*p->frames[0])) ==
		       0;
}

/* The sample equal to *s, whose stripped stack is frames[0]; or a new one. */
static struct sample *find_sample(
	struct profile *p, const struct sample *s, unsigned n)
{
	uint32_t at = s->hash & p->mask;

	for (; p->slots[at]; at = (at + 1) & p->mask) {
		struct sample *old = &p->samples[p->slots[at] - 1];

		if (old->hash == s->hash && same_labels(old, s) &&
			same_stack(p, old, n))
			return old;
	}
	p->samples[p->count] = *s;
	p->slots[at] = ++p->count;
	return &p->samples[p->count - 1];
}

static uint32_t thread_string(struct profile *p, const struct row_key *key)
{
	size_t len = 0;

	while (len < sizeof(key->thread) && key->thread[len])
		len++;
	return strings_add(&p->strings, key->thread, len);
}

static int merge(struct profile *p)
{
	uint32_t slots = 64;

	while (slots < 2 * p->snap->count)
		slots *= 2;
	p->mask = slots - 1;
	p->slots = arena_alloc(p->arena, slots * sizeof(*p->slots));
	p->samples = arena_alloc(
		p->arena, p->snap->count * sizeof(*p->samples));
	if (!p->slots || !p->samples)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->snap->count; i++) {
		const struct snapshot_row *row = &p->snap->rows[i];
		struct sample s = { .key = row->key,
			.more = row->more,
			.thread = thread_string(p, row->key) };
		unsigned n = strip(p, row->key, p->frames[0]);
		struct sample *sum;

		if (n == 0)
			continue; /* no stack: only in a damaged session */
		s.hash = hash_sample(&s, p->frames[0], n);
		sum = find_sample(p, &s, n);
		for (unsigned v = 0; v < SNAPSHOT_COLUMNS; v++)
			sum->values[v] += row->values[v];
	}
	return p->strings.failed ? -ENOMEM : 0;
}

/* --- writing ------------------------------------------------------------- */

static struct encode_value_type value_type(
	struct profile *p, const struct kind_column *c)
{
	return (struct encode_value_type){ strings_add_z(&p->strings, c->type),
		strings_add_z(&p->strings, c->unit) };
}

static int write_header(struct profile *p)
{
	const struct kind *kind = kind_of(p->request->kind);
	struct encode_value_type columns[SNAPSHOT_COLUMNS];
	struct encode_header h = { .columns = columns };
	struct comments comments;

	comments_make(&comments, p->snap, p->request->kind, &p->locations);
	for (unsigned i = 0; i < kind->column_count; i++)
		columns[i] = value_type(p, &kind->columns[i]);
	h.column_count = kind->column_count;
	h.period_type = value_type(p, &kind->period);
	h.period = kind_period(p->request->kind, &p->snap->session->settings);
	h.time_ns = (int64_t)p->snap->wall_ns;
	h.duration_ns = (int64_t)p->snap->duration_ns;
	if (p->request->kind == PROFILE_ALLOCS)
		h.default_column = strings_add_z(&p->strings, "alloc_space");
	h.comments = comments.list;
	h.comment_count = comments.count;
	return encode_header(&p->encoder, &h);
}

/* The labels of a set, and their number. */
static unsigned set_more_labels(
	struct profile *p, const struct sample *s, struct encode_label *to)
{
	unsigned n;
	const struct label *list = snapshot_labels_of(
		p->snap, s->key, s->more, &n);

	for (unsigned i = 0; i < n; i++)
		to[i] = places_label(&p->places, &list[i]);
	return n;
}

static unsigned set_labels(
	struct profile *p, const struct sample *s, struct encode_label *labels)
{
	unsigned n = 0;

	if (s->thread)
		labels[n++] = (struct encode_label){ .str = s->thread,
			.key = strings_add_z(&p->strings, "thread") };
	if (s->key->tid)
		labels[n++] = (struct encode_label){ .num = s->key->tid,
			.key = strings_add_z(&p->strings, "tid") };
	if (s->key->size_class)
		labels[n++] = (struct encode_label){
			.num = size_class_limit(s->key->size_class),
			.key = strings_add_z(&p->strings, "bytes")
		};
	return n + set_more_labels(p, s, labels + n);
}

static int write_sample(struct profile *p, const struct sample *s)
{
	struct encode_label labels[ENCODE_LABELS];

	_Static_assert(ENCODE_LABELS >= LABELS_MAX + 3, "room for all");
	unsigned n = strip(p, s->key, p->frames[0]);

	for (unsigned i = 0; i < n; i++) {
		p->ids[i] = p->frames[0][i];
		locations_mark(&p->locations, p->frames[0][i]);
	}
	return encode_sample(&p->encoder,
		&(struct encode_sample){
			.locations = p->ids,
			.location_count = n,
			.values = s->values,
			.value_count = kind_of(p->request->kind)->column_count,
			.labels = labels,
			.label_count = set_labels(p, s, labels),
		});
}

static int write_all(struct profile *p)
{
	int err = write_header(p);

	for (uint32_t i = 0; i < p->count && !err; i++)
		err = write_sample(p, &p->samples[i]);
	if (!err)
		err = locations_write(&p->locations, &p->encoder);
	if (!err)
		err = strings_write(&p->strings, &p->encoder);
	return err || !p->strings.failed ? err : -ENOMEM;
}

static int prepare(struct profile *p)
{
	const struct session *s = p->snap->session;
	size_t size = PP_MAX(
		ENCODE_SAMPLE_BYTES(FRAMES_MAX), STRING_MAX_BYTES + 64);

	for (unsigned i = 0; i < 2; i++) {
		p->frames[i] = arena_alloc(
			p->arena, FRAMES_MAX * sizeof(*p->frames[i]));
		if (!p->frames[i])
			return -ENOMEM;
	}
	p->ids = arena_alloc(p->arena, FRAMES_MAX * sizeof(*p->ids));
	p->encoder.buf = arena_alloc(p->arena, size);
	p->encoder.size = size;
	if (!p->ids || !p->encoder.buf ||
		strings_init(&p->strings, p->arena) != 0)
		return -ENOMEM;
	return locations_init(&p->locations, s, p->arena, &p->strings,
		p->request->own_process, s->settings.symbols != SYMBOLS_NONE);
}

static int find_names(struct profile *p)
{
	struct known_names own;
	int err;

	if (p->request->names)
		return locations_name(&p->locations, p->request->names);
	known_names_init(&own, p->snap->session, p->request->own_process);
	err = locations_name(&p->locations, &own);
	known_names_free(&own);
	return err;
}

int profile_write(const struct snapshot *snap,
	const struct report_request *request, struct arena *arena,
	encode_sink_fn *sink, void *arg)
{
	struct profile *p = arena_alloc(arena, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	*p = (struct profile){ .snap = snap,
		.request = request,
		.arena = arena,
		.encoder = { .sink = sink, .arg = arg } };
	err = prepare(p);
	if (!err)
		err = collect(p);
	if (!err)
		err = find_names(p);
	if (!err)
		err = places_init(&p->places, snap, arena, &p->strings,
			request->own_process);
	if (!err)
		err = merge(p);
	return err ? err : write_all(p);
}
