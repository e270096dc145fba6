/*
 * arena_malloc.c - the arena (core/base/arena.c) with one malloc for each
 * request, so that the address sanitizer knows where each one ends. Linked
 * before the library, in its place.
 */
#include "pp.h"

#include <stdlib.h>

#include "arena.h"

struct arena_chunk {
	_Alignas(16) struct arena_chunk *next;
	char bytes[];
};

void arena_init(struct arena *a)
{
	*a = (struct arena){ .chunk_bytes = 0 };
}

/* Hostile input may ask for much: not for more than a machine would give. */
#define MOST_BYTES (UINT64_C(512) << 20)

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c;

	if (size > MOST_BYTES || a->total_bytes > MOST_BYTES)
		return NULL;
	c = calloc(1, sizeof(*c) + PP_MAX(size, 1u));
	if (!c)
		return NULL;
	c->next = a->chunks;
	a->chunks = c;
	a->total_bytes += size;
	return c->bytes;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *next;

	for (struct arena_chunk *c = a->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	arena_init(a);
}
