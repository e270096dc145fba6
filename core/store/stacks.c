/*
 * stacks.c - see stacks.h. Context: PP_ANY.
 */
#include "pp.h"

#include "chunk.h"
#include "index.h"
#include "stacks.h"

#define CHUNK_BYTES (64u * 1024)

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

static uint32_t make(struct session *s, const void *key, uint64_t hash)
{
	const struct stack_query *q = key;
	uint64_t off = chunk_take(s, &s->stack_chunk, CHUNK_BYTES,
		sizeof(struct stack) + q->depth * sizeof(frame_t));
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
