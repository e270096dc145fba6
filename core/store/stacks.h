/*
 * stacks.h - interned stacks: equal stacks get equal 4-byte ids.
 *
 * Lock-free and append-only. A stack lies in the session as
 * {u32 hash, u16 depth, u16 flags, frame_t frames[depth]}, leaf first; its id
 * is that offset / 8. Context: PP_ANY.
 */
#ifndef STACKS_H
#define STACKS_H

#include "pp.h"

#include "frame.h"
#include "session.h"

#define STACK_MAX_DEPTH 1024u

struct stack {
	uint32_t hash;
	uint16_t depth;
	uint16_t unused;
	frame_t frames[];
};

/* The id of the stack, or 0 when the session is full. depth is in 1..1026
 * (PPROFC_MAX_DEPTH plus our own end frames). */
uint32_t stacks_intern(
	struct session *s, const frame_t *frames, unsigned depth) PP_ANY;

/* NULL for id 0 and for ids that cannot be (hostile file). */
const struct stack *stacks_get(const struct session *s, uint32_t id) PP_ANY;

#endif
