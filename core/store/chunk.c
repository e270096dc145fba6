/*
 * chunk.c - see chunk.h. Context: PP_ANY.
 */
#include "pp.h"

#include "chunk.h"

#define USED_MASK ((UINT64_C(1) << CHUNK_USED_BITS) - 1)

uint64_t chunk_take(struct session *s, _Atomic uint64_t *at,
	uint64_t chunk_bytes, uint64_t bytes)
{
	uint64_t w = atomic_load_explicit(at, memory_order_relaxed);
	uint64_t fresh = 0, next;

	for (;;) {
		uint64_t off = w >> CHUNK_USED_BITS, used = w & USED_MASK;

		if (off && used + bytes <= chunk_bytes) {
			next = w + bytes;
		} else {
			if (!fresh)
				fresh = session_extend(s, chunk_bytes);
			if (!fresh)
				return 0;
			off = fresh;
			used = 0;
			next = fresh << CHUNK_USED_BITS | bytes;
		}
		if (atomic_compare_exchange_weak_explicit(at, &w, next,
			    memory_order_relaxed, memory_order_relaxed))
			return off + used;
	}
}
