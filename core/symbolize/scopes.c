/*
 * scopes.c - see scopes.h.
 *
 * One walk over the unit's entries for all places in it. What cannot contain
 * the code of a place is stepped over: types, and functions elsewhere. If a
 * place stays without a function there is a second walk into everything, since
 * functions may stand in types and in other functions.
 */
#include "pp.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "entries.h"
#include "list.h"
#include "scopes.h"

#define NESTING 128u /* entries in entries; damaged files have any depth */

struct walk {
	struct scopes *s;
	struct entries e;
	const struct lookup_place *places;
	size_t n;
	bool everywhere;
	int err;
};

struct range {
	uint64_t start, end;
};

/* Where in an entry's ranges we are; zeroed at first. */
struct cursor {
	ptrdiff_t at;
	Dwarf_Addr base; /* libdw's, from one range to the next */
};

static bool is_function(unsigned tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

static bool is_block(unsigned tag)
{
	return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
	       tag == DW_TAG_catch_block;
}

static bool is_scope(unsigned tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module;
}

static bool is_type(unsigned tag)
{
	return tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type ||
	       tag == DW_TAG_interface_type;
}

static size_t first_at(const struct walk *w, uint64_t address)
{
	return lookup_first_at(w->places, w->n, address);
}

static bool any_place(const struct walk *w, struct range r)
{
	size_t i = first_at(w, r.start);

	return i < w->n && w->places[i].address < r.end;
}

/* The places in a range that are in `outer` so far get the node of the entry,
 * which is made when there is one. */
static void claim(struct walk *w, const struct entry *entry, struct range r,
	uint32_t outer, uint32_t *node)
{
	struct scopes *s = w->s;

	for (size_t i = first_at(w, r.start);
		i < w->n && w->places[i].address < r.end; i++) {
		if (s->innermost[i] != outer)
			continue;
		if (!*node) {
			struct scopes_node *new = LIST_ADD(
				s->nodes, s->node_count, s->node_room);

			if (!new) {
				w->err = -ENOMEM;
				return;
			}
			*new = (struct scopes_node){ entry->at, outer };
			*node = (uint32_t)(s->node_count - 1);
		}
		s->innermost[i] = *node;
	}
}

static bool next_range(const struct walk *w, const struct entry *entry,
	struct cursor *c, struct range *ret)
{
	Dwarf_Die die;

	if (c->at == 0 && entries_range(&w->e, entry, &ret->start, &ret->end)) {
		c->at = -1;
		return true;
	}
	if (c->at < 0 || !entry->abbrev->has_pc)
		return false;
	die = entries_die(&w->e, entry->at);
	c->at = dwarf_ranges(&die, c->at, &c->base, &ret->start, &ret->end);
	return c->at > 0;
}

static uint32_t enter_function(
	struct walk *w, const struct entry *entry, uint32_t outer)
{
	uint32_t node = 0;
	struct cursor cursor = { 0 };
	struct range r;

	/* A function inside another one is not inlined there. */
	if (entry->abbrev->tag == DW_TAG_subprogram)
		outer = 0;
	while (!w->err && next_range(w, entry, &cursor, &r))
		claim(w, entry, r, outer, &node);
	return node;
}

/* A block may have no addresses of its own. */
static bool enter_block(const struct walk *w, const struct entry *entry)
{
	struct cursor cursor = { 0 };
	struct range r;

	if (!entry->abbrev->has_pc)
		return true;
	while (next_range(w, entry, &cursor, &r)) {
		if (any_place(w, r))
			return true;
	}
	return false;
}

/* Whether to look at the children of an entry; *node is what they are in. */
static bool enter(struct walk *w, const struct entry *entry, uint32_t *node)
{
	unsigned tag = entry->abbrev->tag;
	uint32_t inner;

	if (is_function(tag)) {
		inner = enter_function(w, entry, *node);
		if (inner)
			*node = inner;
		else if (tag == DW_TAG_subprogram)
			*node = 0;
		return inner || (w->everywhere && tag == DW_TAG_subprogram);
	}
	if (is_block(tag))
		return w->everywhere || enter_block(w, entry);
	return is_scope(tag) || (w->everywhere && is_type(tag));
}

/* The siblings from `at` on; returns what is behind them. */
static const uint8_t *walk(
	struct walk *w, const uint8_t *at, uint32_t node, unsigned depth)
{
	struct entry entry;

	while (!w->err && at && entries_read(&w->e, at, &entry)) {
		uint32_t inner = node;

		if (!entry.abbrev)
			return entry.behind;
		if (depth < NESTING && enter(w, &entry, &inner) &&
			entry.abbrev->children)
			at = walk(w, entry.behind, inner, depth + 1);
		else
			at = entries_behind(&w->e, &entry);
	}
	return NULL;
}

static bool all_found(const struct walk *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (!w->s->innermost[i])
			return false;
	}
	return true;
}

static void walk_unit(struct walk *w)
{
	struct entry root;

	if (!entries_read(&w->e, w->e.start, &root) || !root.abbrev ||
		!root.abbrev->children)
		return;
	(void)walk(w, root.behind, 0, 0);
	if (w->err || all_found(w))
		return;
	w->everywhere = true;
	(void)walk(w, root.behind, 0, 0);
}

int scopes_find(struct scopes *s, const Dwarf_Die *unit,
	const struct lookup_place *places, size_t n)
{
	struct walk w = { .s = s, .places = places, .n = n };

	*s = (struct scopes){ .unit = *unit };
	s->innermost = calloc(n, sizeof(*s->innermost));
	if (!s->innermost || !LIST_ADD(s->nodes, s->node_count, s->node_room))
		return -ENOMEM;
	s->nodes[0] = (struct scopes_node){ 0 };
	if (!entries_open(&w.e, unit))
		return 0; /* then there are lines only */
	walk_unit(&w);
	entries_close(&w.e);
	return w.err;
}

void scopes_free(struct scopes *s)
{
	free(s->nodes);
	free(s->innermost);
	*s = (struct scopes){ 0 };
}

size_t scopes_chain(
	const struct scopes *s, size_t place, Dwarf_Die ret_chain[LOOKUP_DEPTH])
{
	uint32_t node = s->innermost[place];
	size_t n = 0;

	for (; node && n < LOOKUP_DEPTH; node = s->nodes[node].outer) {
		ret_chain[n] = s->unit;
		ret_chain[n].addr = (void *)(uintptr_t)s->nodes[node].entry;
		ret_chain[n++].abbrev = NULL;
	}
	return n;
}
