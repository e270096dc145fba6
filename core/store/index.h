/*
 * index.h - a lock-free, insert-only hash index from a key to a 4-byte id.
 *
 * Slots hold {hash 32, id 32}; 0 is empty. In a segment a key belongs to the
 * INDEX_WINDOW slots after its hash; when they are taken, to the next, larger
 * segment. Slots never become empty again, so every searcher passes the same
 * slots in the same order and two threads cannot insert one key twice.
 * Context: PP_ANY.
 */
#ifndef INDEX_H
#define INDEX_H

#include "pp.h"

#include "session.h"

#define INDEX_WINDOW 16u

/* Is this id the key? The id's content is complete. */
typedef bool index_equal_fn(
	const struct session *s, uint32_t id, const void *key);
/* Write the key's content into the session and return its id; 0 = full. Its
 * work is wasted, not wrong, when another thread is first. */
typedef uint32_t index_make_fn(
	struct session *s, const void *key, uint64_t hash);

/* The id of the key, made if needed; 0 when the session is full. */
uint32_t index_intern(struct session *s, struct seglist *l, uint64_t hash,
	const void *key, index_equal_fn *equal, index_make_fn *make) PP_ANY;

#endif
