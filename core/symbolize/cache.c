/*
 * cache.c - see cache.h.
 *
 * What is known is kept as a profile of its own, without samples.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "list.h"
#include "load.h"
#include "object.h"
#include "tell.h"

#define LOCATIONS_MAX 1000000u /* more are not remembered */

/* The rules by which lines are found: a change of them is a new number, and
 * what was made before is not used. */
#define RULES 1u

/* Of a copy from one profile to another, what was copied: index + 1. */
struct copied {
	uint32_t *mappings, *functions;
};

struct cache {
	struct pprof *p; /* addresses from their mapping's start */
	struct functions f;
	struct ids mappings, locations;
	uint64_t rules;
	struct functions *to; /* since cache_begin() */
	struct copied given;
};

uint64_t cache_rules(enum names_style style)
{
	return RULES << 8 | ((unsigned)style + 1);
}

struct cache *cache_new(enum names_style style)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->rules = cache_rules(style);
	c->p = calloc(1, sizeof(*c->p));
	if (c->p)
		(void)pprof_add_string(c->p, (struct slice){ 0 });
	if (c->p && c->p->string_count &&
		functions_init(&c->f, c->p, style) == 0)
		return c;
	cache_free(c);
	return NULL;
}

static bool copied_init(struct copied *k, size_t mappings, size_t functions)
{
	k->mappings = calloc(mappings + 1, sizeof(*k->mappings));
	k->functions = calloc(functions + 1, sizeof(*k->functions));
	return k->mappings && k->functions;
}

static void copied_free(struct copied *k)
{
	free(k->mappings);
	free(k->functions);
	*k = (struct copied){ 0 };
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	copied_free(&c->given);
	if (c->f.p)
		functions_free(&c->f);
	ids_free(&c->mappings);
	ids_free(&c->locations);
	pprof_free(c->p);
	free(c);
}

/* --- places --------------------------------------------------------------- */

/* A mapping can be known again by its build id only; and at 0 there are
 * profiles whose addresses are those in the file. */
static bool is_known_again(const struct pprof *p, const struct pprof_mapping *m)
{
	const struct slice *id = &p->strings[m->build_id];

	return m->start && build_id_parse(id->data, id->len).len;
}

/* Of the cache: index + 1; 0 = there is none, or with `add` no memory. */
static uint32_t find_mapping(struct cache *c, const struct pprof *p,
	const struct pprof_mapping *m, bool add)
{
	const struct slice *id = &p->strings[m->build_id];
	uint32_t text = functions_string(
		&c->f, (const char *)id->data, id->len);
	uint64_t key = pp_mix(ids_hash(m->offset) ^ text);
	struct pprof_mapping *made;
	size_t cursor = 0;
	uint32_t i;

	while ((i = ids_find(&c->mappings, key, &cursor)) != IDS_NONE) {
		if (c->p->mappings[i].build_id == text &&
			c->p->mappings[i].offset == m->offset)
			return i + 1;
	}
	if (!add || !text)
		return 0;
	made = LIST_ADD(
		c->p->mappings, c->p->mapping_count, c->p->mapping_room);
	if (!made)
		return 0;
	*made = (struct pprof_mapping){ .offset = m->offset, .build_id = text };
	i = (uint32_t)(c->p->mapping_count - 1);
	return ids_add(&c->mappings, key, i) ? i + 1 : 0;
}

static uint64_t location_key(uint32_t mapping, uint64_t address)
{
	return pp_mix(ids_hash(address) ^ mapping);
}

static const struct pprof_location *find_location(
	const struct cache *c, uint32_t mapping, uint64_t address)
{
	size_t cursor = 0;
	uint32_t i;

	while ((i = ids_find(&c->locations, location_key(mapping, address),
			&cursor)) != IDS_NONE) {
		const struct pprof_location *l = &c->p->locations[i];

		if (l->mapping == mapping && l->address == address)
			return l;
	}
	return NULL;
}

/* --- copies --------------------------------------------------------------- */

/* A location's lines behind all others of `f`'s profile. 0 or -errno. */
static int copy_lines(struct functions *f, const struct pprof *from,
	const struct pprof_location *l, uint32_t *copied)
{
	for (uint32_t i = 0; i < l->line_count; i++) {
		const struct pprof_line *line = &from->lines[l->first_line + i];
		uint32_t *done = &copied[line->function];
		long fn = *done ? *done - 1L
				: functions_copy(f, from, line->function);

		if (fn < 0)
			return (int)fn;
		*done = (uint32_t)fn + 1;
		if (!pprof_add_line(f->p, (uint32_t)fn, line->line))
			return -ENOMEM;
	}
	return 0;
}

static int add_location(struct cache *c, const struct pprof *from,
	const struct pprof_location *l, uint32_t mapping, struct copied *k)
{
	struct pprof_location made = { .mapping = mapping,
		.address = l->address - from->mappings[l->mapping - 1].start,
		.first_line = (uint32_t)c->p->line_count,
		.line_count = l->line_count };
	struct pprof_location *to;
	int err;

	if (find_location(c, mapping, made.address))
		return 0;
	err = copy_lines(&c->f, from, l, k->functions);
	if (err)
		return err;
	to = LIST_ADD(
		c->p->locations, c->p->location_count, c->p->location_room);
	if (!to)
		return -ENOMEM;
	*to = made;
	return ids_add(&c->locations, location_key(mapping, made.address),
		       (uint32_t)(c->p->location_count - 1))
		       ? 0
		       : -ENOMEM;
}

/* --- in ------------------------------------------------------------------- */

static bool may_take(const struct cache *c, const struct pprof *p,
	const struct pprof_location *l)
{
	const struct pprof_mapping *m;

	if (!l->mapping || !l->address)
		return false;
	m = &p->mappings[l->mapping - 1];
	return m->read == c->rules && is_known_again(p, m);
}

bool cache_take(struct cache *c, const struct pprof *p)
{
	struct copied k;
	bool any = false;
	int err = 0;

	if (!copied_init(&k, p->mapping_count, p->function_count))
		err = -ENOMEM;
	for (size_t i = 0; i < p->location_count && !err; i++) {
		const struct pprof_location *l = &p->locations[i];
		uint32_t *mapping;

		if (!may_take(c, p, l))
			continue;
		if (c->p->location_count >= LOCATIONS_MAX)
			break;
		any = true;
		mapping = &k.mappings[l->mapping - 1];
		if (!*mapping)
			*mapping = find_mapping(
				c, p, &p->mappings[l->mapping - 1], true);
		err = *mapping ? add_location(c, p, l, *mapping, &k) : -ENOMEM;
	}
	copied_free(&k);
	return any;
}

void cache_read(struct cache *c, const char *path)
{
	struct pprof *p = NULL;
	struct load loaded;
	int err = load_file(path, &loaded);

	if (!err)
		err = pprof_read(loaded.data, loaded.len, &p);
	if (err)
		tell("--cache: %s %s; it is not used", path, load_error(err));
	else if (!cache_take(c, p))
		tell("--cache: %s has no lines that can be used: none found by "
		     "this program with the same --demangle, in files with a "
		     "build id",
			path);
	pprof_free(p);
	load_free(&loaded);
}

/* --- out ------------------------------------------------------------------ */

int cache_begin(struct cache *c, struct functions *f)
{
	const struct pprof *p = f->p;

	copied_free(&c->given);
	c->to = f;
	if (!copied_init(&c->given, p->mapping_count, c->p->function_count))
		return -ENOMEM;
	for (size_t i = 0; i < p->mapping_count; i++) {
		if (is_known_again(p, &p->mappings[i]))
			c->given.mappings[i] = find_mapping(
				c, p, &p->mappings[i], false);
	}
	return 0;
}

static bool same_text(const struct pprof *p, uint32_t string,
	const struct pprof *q, uint32_t other)
{
	const struct slice *a = &p->strings[string], *b = &q->strings[other];

	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* A function keeps the symbol its profile has for it (assign.c): what was
 * found with another one is not what would be found here. */
static bool same_symbol(const struct pprof *p, const struct pprof_location *l,
	const struct pprof *q, const struct pprof_location *known)
{
	const struct pprof_function *a, *b;

	if (!l->line_count)
		return true;
	a = &p->functions[p->lines[l->first_line + l->line_count - 1].function];
	b = &q->functions[q->lines[known->first_line + known->line_count - 1]
				  .function];
	if (!same_text(p, a->system_name ? a->system_name : a->name, q,
		    b->system_name ? b->system_name : b->name))
		return false;
	return !a->name || !a->system_name || a->name == a->system_name ||
	       same_text(p, a->name, q, b->name);
}

/* It has no more than the name of a symbol. */
static bool is_bare(const struct pprof *p, const struct pprof_location *l)
{
	for (uint32_t i = 0; i < l->line_count; i++) {
		const struct pprof_line *line = &p->lines[l->first_line + i];

		if (line->line || p->functions[line->function].filename)
			return false;
	}
	return true;
}

int cache_give(struct cache *c, uint32_t location)
{
	struct pprof *p = c->to->p;
	struct pprof_location *l = &p->locations[location];
	struct pprof_mapping *m = &p->mappings[l->mapping - 1];
	uint32_t mapping = c->given.mappings[l->mapping - 1];
	const struct pprof_location *known;
	size_t first = p->line_count;
	bool bare;
	int err;

	known = mapping ? find_location(c, mapping, l->address - m->start)
			: NULL;
	if (!known)
		return 0;
	bare = is_bare(c->p, known);
	if (bare && (l->line_count || !known->line_count))
		return 1; /* it is known that there is nothing more */
	if (!same_symbol(p, l, c->p, known))
		return 0;
	err = copy_lines(c->to, c->p, known, c->given.functions);
	if (err)
		return err;
	l->first_line = (uint32_t)first;
	l->line_count = (uint32_t)(p->line_count - first);
	l->named = m->changed = m->has_functions = true;
	if (!bare)
		m->has_filenames = m->has_lines = m->has_inlines = true;
	return 1;
}
