/*
 * chunk.h - pieces of the session for things of any size that are never given
 * back. `at` packs the current chunk's offset and the bytes used of it into one
 * word (off << CHUNK_USED_BITS | used), so that taking space is one CAS.
 * Context: PP_ANY.
 */
#ifndef CHUNK_H
#define CHUNK_H

#include "pp.h"

#include "session.h"

#define CHUNK_USED_BITS 24

/* Room for `bytes`, at most `chunk_bytes`, in the current or a new chunk: its
 * offset, a multiple of 8 if all that was taken is; 0 = the session is full. */
uint64_t chunk_take(struct session *s, _Atomic uint64_t *at,
	uint64_t chunk_bytes, uint64_t bytes) PP_ANY;

#endif
