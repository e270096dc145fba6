/*
 * scopes.h - around each of some addresses of a unit: the function whose code
 * it is, and the functions inlined there.
 *
 * Owner: scopes_free(). Context: PP_NORMAL.
 */
#ifndef SCOPES_H
#define SCOPES_H

#include <elfutils/libdw.h>

#include "pp.h"

#include "lookup.h"

struct scopes_node {
	const uint8_t *entry;
	uint32_t outer; /* the function this one is inlined into; 0 = none */
};

struct scopes {
	Dwarf_Die unit;
	struct scopes_node *nodes; /* [0] is nothing */
	size_t node_count, node_room;
	uint32_t *innermost; /* by place */
};

/* Of n places sorted by address, all in this unit. 0 or -ENOMEM. */
int scopes_find(struct scopes *s, const Dwarf_Die *unit,
	const struct lookup_place *places, size_t n);
void scopes_free(struct scopes *s);

/* Innermost first; their number. */
size_t scopes_chain(const struct scopes *s, size_t place,
	Dwarf_Die ret_chain[LOOKUP_DEPTH]);

#endif
