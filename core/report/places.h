/*
 * places.h - labels of samples as the profile shows them. A label that holds
 * the place of a variable becomes its name and address: "cache_lock+0x8
 * (0x55d0c8a4)", or the address alone where no symbol is known.
 *
 * Owner: the arena's. One user at a time. Context: PP_ANY.
 */
#ifndef PLACES_H
#define PLACES_H

#include "pp.h"

#include "arena.h"
#include "encode.h"
#include "labels.h"
#include "snapshot.h"
#include "strings.h"
#include "symbols.h"

struct places {
	const struct session *session;
	struct strings *strings;
	struct symbol *list; /* sorted by key, each once; user: a string */
	uint32_t count;
};

/* Name all places in the labels of these rows. 0 or -ENOMEM. */
int places_init(struct places *p, const struct snapshot *snap,
	struct arena *arena, struct strings *strings, bool own_process) PP_ANY;

/* After places_init() with the rows that have the label. */
struct encode_label places_label(
	const struct places *p, const struct label *label) PP_ANY;

#endif
