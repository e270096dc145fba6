/*
 * live.h - the sampled objects that are alive: address -> {row, size, weight}.
 *
 * Owned by the hooks: malloc's slow path inserts before it returns, free's
 * slow path removes before the real free, and only the winner of the removal
 * records the free. In-use values are derived from this table.
 *
 * Structure: segments, each twice the last; in a segment an address belongs to
 * one bucket of LIVE_BUCKET keys (two cache lines). Keys never leave a hole
 * that a search depends on: a search always looks at the whole bucket of every
 * segment, newest first. Context: PP_ANY.
 */
#ifndef LIVE_H
#define LIVE_H

#include "pp.h"

#include "session.h"

#define LIVE_BUCKET 16u

struct live_value {
	uint32_t row;
	uint32_t version; /* counts what was put here: live.c */
	uint64_t size;	  /* true size of the object */
	uint64_t objects; /* its weight, 1/ROW_ONE */
};

/* Weighted bytes of an entry: size * weight, the same at alloc and free. */
static inline uint64_t live_bytes(const struct live_value *v)
{
	return (uint64_t)(((unsigned __int128)v->size * v->objects) >> 16);
}

/* Insert; the address must not be in the table (live_take() it first when a
 * free may have been missed). False when the session is full. */
bool live_put(
	struct session *s, uint64_t address, const struct live_value *v) PP_ANY;

/* Remove the address and return its value in *ret; false if it is not there.
 * Of two callers one wins. */
bool live_take(
	struct session *s, uint64_t address, struct live_value *ret) PP_ANY;

/* Visit every entry, none with a torn value. Each address is looked at at one
 * moment, different ones at different moments. */
typedef void live_visit_fn(
	uint64_t address, const struct live_value *v, void *arg);
void live_each(const struct session *s, live_visit_fn *visit, void *arg) PP_ANY;

#endif
