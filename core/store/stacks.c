/*
 * stacks.c - see stacks.h. Context: PP_ANY.
 *
 * Stacks are cut from chunks of the session. s->stack_chunk packs the current
 * chunk's offset and the bytes used of it into one word, so that taking space
 * is one CAS.
 */
#include "pp.h"

#include "index.h"
#include "stacks.h"

#define CHUNK_BYTES (64u * 1024)
#define USED_BITS 24
#define USED_MASK ((UINT64_C(1) << USED_BITS) - 1)

struct stack_query {
	const frame_t *frames;
	unsigned depth;
};

static uint64_t hash_frames(const frame_t *frames, unsigned depth)
{
	uint64_t h = depth;

	for (unsigned i = 0; i < depth; i++) {
		h ^= frames[i];
		h *= 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return pp_mix(h);
}

static bool equal(const struct session *s, uint32_t id, const void *key)
{
	const struct stack_query *q = key;
	const struct stack *k = stacks_get(s, id);

	return k && k->depth == q->depth &&
	       __builtin_memcmp(
		       k->frames, q->frames, q->depth * sizeof(frame_t)) == 0;
}

/* Room for `bytes` (a multiple of 8) in the current or a new chunk; 0 = full.
 */
static uint64_t take_space(struct session *s, uint64_t bytes)
{
	uint64_t w = atomic_load_explicit(
		&s->stack_chunk, memory_order_relaxed);
	uint64_t fresh = 0, next;

	for (;;) {
		uint64_t off = w >> USED_BITS, used = w & USED_MASK;

		if (off && used + bytes <= CHUNK_BYTES) {
			next = w + bytes;
		} else {
			if (!fresh)
				fresh = session_extend(s, CHUNK_BYTES);
			if (!fresh)
				return 0;
			off = fresh;
			used = 0;
			next = fresh << USED_BITS | bytes;
		}
		if (atomic_compare_exchange_weak_explicit(&s->stack_chunk, &w,
			    next, memory_order_relaxed, memory_order_relaxed))
			return off + used;
	}
}

static uint32_t make(struct session *s, const void *key, uint64_t hash)
{
	const struct stack_query *q = key;
	uint64_t off = take_space(
		s, sizeof(struct stack) + q->depth * sizeof(frame_t));
	struct stack *k;

	if (!off)
		return 0;
	k = session_at(s, off);
	k->hash = (uint32_t)hash;
	k->depth = (uint16_t)q->depth;
	__builtin_memcpy(k->frames, q->frames, q->depth * sizeof(frame_t));
	return (uint32_t)(off / 8);
}

uint32_t stacks_intern(struct session *s, const frame_t *frames, unsigned depth)
{
	struct stack_query q = { frames, depth };

	return index_intern(s, &s->stack_index, hash_frames(frames, depth), &q,
		equal, make);
}

const struct stack *stacks_get(const struct session *s, uint32_t id)
{
	uint64_t off = (uint64_t)id * 8;
	const struct stack *k;

	if (!id || off < s->header_bytes ||
		off + sizeof(*k) > atomic_load(&s->used))
		return NULL;
	k = session_at(s, off);
	if (off + sizeof(*k) + k->depth * sizeof(frame_t) >
		atomic_load(&s->used))
		return NULL;
	return k;
}
