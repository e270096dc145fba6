/*
 * lookup.h - a name in a loaded object, found as the loader finds it.
 *
 * dlsym takes 700 instructions a name and we have many: it asks object after
 * object, knows nothing in advance, locks and prepares for failure. Here the
 * hash of a name is a constant, and only what needs no thought is answered:
 * ordinary functions in their default version. All else is left to dlsym.
 *
 * Context: PP_ANY: reads the tables of objects that are loaded and stay.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <link.h>

#include "pp.h"

/*
 * The hash of DT_GNU_HASH of a literal of at most 40 characters, a constant:
 * h * 33 + c over its characters and then zeros, which are divided out again.
 */
#define LOOKUP_MOST 40u
#define LOOKUP_END(s) (sizeof(s) - 1)
#define LOOKUP_AT(s, i) (unsigned char)(s)[PP_MIN((i) + 0u, LOOKUP_END(s))]
#define LOOKUP_2(h, s, i) \
	(((h)*33u + LOOKUP_AT(s, i)) * 33u + LOOKUP_AT(s, (i) + 1))
#define LOOKUP_4(h, s, i) LOOKUP_2(LOOKUP_2(h, s, i), s, (i) + 2)
#define LOOKUP_8(h, s, i) LOOKUP_4(LOOKUP_4(h, s, i), s, (i) + 4)
#define LOOKUP_24(h, s) LOOKUP_8(LOOKUP_8(LOOKUP_8(h, s, 0), s, 8), s, 16)
#define LOOKUP_40(h, s) LOOKUP_8(LOOKUP_8(LOOKUP_24(h, s), s, 24), s, 32)
/* The inverse of 33, modulo 2^32, to the power of n < 64. */
#define LOOKUP_IF(n, bit, power) ((n) & (bit) ? (power) : 1u)
#define LOOKUP_BACK_7(n)                                                 \
	(LOOKUP_IF(n, 1u, 0x3e0f83e1u) * LOOKUP_IF(n, 2u, 0xb44e0bc1u) * \
		LOOKUP_IF(n, 4u, 0x92262781u))
#define LOOKUP_BACK(n)                                      \
	(LOOKUP_BACK_7(n) * LOOKUP_IF(n, 8u, 0xe4648f01u) * \
		LOOKUP_IF(n, 16u, 0xd0aa1e01u) *            \
		LOOKUP_IF(n, 32u, 0x7cd83c01u))
#define LOOKUP_HASH(s) \
	(LOOKUP_40(5381u, s) * LOOKUP_BACK(LOOKUP_MOST + 1 - sizeof(s)))

/* What a look-up needs of an object. */
struct lookup_object {
	const uint64_t *bloom;
	const uint32_t *buckets, *chains; /* chains: of symbol 0 */
	const ElfW(Sym) * symbols;
	const char *strings;
	const uint16_t *versions; /* NULL: it has none */
	uintptr_t base;
	uint32_t bloom_mask, bloom_shift, bucket_count;
};

enum lookup {
	LOOKUP_NONE,  /* the object does not have it */
	LOOKUP_FOUND, /* an ordinary function */
	LOOKUP_ODD,   /* it has something of that name: ask dlsym */
};

/* This object in the loader's list, or NULL: in another namespace. */
const struct link_map *lookup_self(void) PP_ANY;

/* Does the object hold this function? The loader's list is in the order of the
 * global scope as far as the objects were there at the start. */
bool lookup_holds(const struct link_map *map, const void *function) PP_ANY;

/* Is something at work that changes what the loader finds? */
bool lookup_is_altered(void) PP_ANY;

/* False if the object has no table of a kind that we read. */
bool lookup_open(struct lookup_object *ret, const struct link_map *map) PP_ANY;

enum lookup lookup_function(const struct lookup_object *o, const char *name,
	uint32_t hash, void **ret_function) PP_ANY;

#endif
