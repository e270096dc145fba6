/*
 * index.c - see index.h. Context: PP_ANY.
 */
#include "pp.h"

#include "index.h"

/* Search one segment. Returns the id, or 0 if the key is not in it; *ret_free
 * is then the slot to try, or NULL when the window is full. */
static uint32_t search(const struct session *s, _Atomic uint64_t *seg,
	uint32_t mask, uint64_t hash, const void *key, index_equal_fn *equal,
	_Atomic uint64_t **ret_free)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	*ret_free = NULL;
	for (uint32_t i = 0; i < INDEX_WINDOW; i++) {
		_Atomic uint64_t *slot = &seg[((uint32_t)hash + i) & mask];
		/* Pairs with the release in insert(): what the id names is
		 * complete. */
		uint64_t w = atomic_load_explicit(slot, memory_order_acquire);

		if (w == 0) {
			*ret_free = slot;
			return 0;
		}
		if ((uint32_t)(w >> 32) == tag && equal(s, (uint32_t)w, key))
			return (uint32_t)w;
	}
	return 0;
}

static bool insert(_Atomic uint64_t *slot, uint64_t hash, uint32_t id)
{
	uint64_t empty = 0;

	return atomic_compare_exchange_strong_explicit(slot, &empty,
		(hash >> 32) << 32 | id, memory_order_release,
		memory_order_relaxed);
}

uint32_t index_intern(struct session *s, struct seglist *l, uint64_t hash,
	const void *key, index_equal_fn *equal, index_make_fn *make)
{
	uint32_t made = 0;

	for (unsigned k = 0; k < SESSION_SEGMENTS; k++) {
		_Atomic uint64_t *seg = seglist_segment(s, l, k, true);
		uint32_t mask = seglist_size(l, k) - 1;
		_Atomic uint64_t *slot;
		uint32_t id;

		if (!seg)
			return 0;
		do {
			id = search(s, seg, mask, hash, key, equal, &slot);
			if (id)
				return id;
			if (slot && !made)
				made = make(s, key, hash);
			if (slot && !made)
				return 0;
		} while (slot && !insert(slot, hash, made));
		if (slot)
			return made;
	}
	return 0;
}
