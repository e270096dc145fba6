/*
 * arena.h - the only allocator of signal-safe code: pages from mmap, handed
 * out by moving a pointer, given back all at once.
 *
 * Owner: whoever called arena_init(). One user at a time. Context: PP_ANY.
 */
#ifndef ARENA_H
#define ARENA_H

#include "pp.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t chunk_bytes;	    /* of the next chunk; grows */
	uint64_t total_bytes;	    /* mapped so far */
	bool inherited;	     /* set after init: forked children have it, too */
	uint32_t fail_after; /* tests: the n-th request fails; 0 = never */
};

void arena_init(struct arena *a) PP_ANY;
/* size bytes, zeroed, aligned to 16, or NULL when mmap refuses. */
void *arena_alloc(struct arena *a, size_t size) PP_ANY;
/* Give every page back. */
void arena_free(struct arena *a) PP_ANY;

#endif
