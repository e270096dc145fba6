/*
 * ids.h - a map from 64-bit keys to indexes: protobuf ids, hashes of names,
 * offsets of DIEs. Entries are never removed.
 *
 * Owner: ids_free(). Context: PP_NORMAL.
 */
#ifndef IDS_H
#define IDS_H

#include "pp.h"

struct ids_entry {
	uint64_t key;
	uint32_t value_1; /* value + 1; 0 = free */
};

struct ids {
	struct ids_entry *entries;
	size_t room, count; /* room is a power of two, or 0 */
};

#define IDS_NONE UINT32_MAX

/* Mixed with a secret of this process: nobody else knows which keys collide.
 * For keys that are made of several numbers, too. */
uint64_t ids_hash(uint64_t key);

/* Keys may stand there more than once (hashes): *cursor, 0 at first, goes on
 * from the last one found. IDS_NONE when there is none (any more). */
uint32_t ids_find(const struct ids *t, uint64_t key, size_t *cursor);

static inline uint32_t ids_get(const struct ids *t, uint64_t key)
{
	size_t cursor = 0;

	return ids_find(t, key, &cursor);
}

/* false without memory. */
bool ids_add(struct ids *t, uint64_t key, uint32_t value);
void ids_free(struct ids *t);

#endif
