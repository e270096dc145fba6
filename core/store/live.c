/*
 * live.c - see live.h. Context: PP_ANY.
 *
 * A key is 0 (free), BUSY (being written or being taken) or the address. All
 * changes are one CAS by the thread that owns the object at that moment: the
 * allocating one, which nobody else knows the address of yet, or the freeing
 * one.
 */
#include "pp.h"

#include "live.h"

#define BUSY UINT64_C(1)

struct segment {
	_Atomic uint64_t *keys;
	unsigned k;
	uint32_t bucket; /* index of the address's first key */
};

static inline bool find_segment(struct session *s, unsigned k, uint64_t address,
	bool grow, struct segment *ret)
{
	uint32_t n = seglist_size(&s->live_keys, k);

	/* Values first: whoever finds the keys finds them, too. */
	if (grow && !seglist_segment(s, &s->live_values, k, true))
		return false;
	ret->keys = seglist_segment(s, &s->live_keys, k, grow);
	ret->k = k;
	ret->bucket = (uint32_t)pp_mix(address) & (n - 1) & ~(LIVE_BUCKET - 1);
	return ret->keys != NULL;
}

/* Field by field and not as a whole: the fields have just been stored one by
 * one, and a wider load waits until they are in the cache. */
static inline void copy(
	volatile struct live_value *to, const volatile struct live_value *from)
{
	to->row = from->row;
	to->size = from->size;
	to->objects = from->objects;
}

static inline struct live_value *value_at(
	struct session *s, const struct segment *seg, uint32_t i)
{
	struct live_value *values = seglist_segment(
		s, &s->live_values, seg->k, false);

	return &values[i];
}

static unsigned segment_count(const struct session *s)
{
	unsigned k = 0;

	while (k < SESSION_SEGMENTS &&
		atomic_load_explicit(
			&s->live_keys.seg[k], memory_order_relaxed))
		k++;
	return k;
}

static inline bool put_in(struct session *s, struct segment *seg,
	uint64_t address, const struct live_value *v)
{
	for (uint32_t i = seg->bucket; i < seg->bucket + LIVE_BUCKET; i++) {
		struct live_value *at;
		uint64_t empty = 0;

		if (atomic_load_explicit(&seg->keys[i], memory_order_relaxed) !=
			0)
			continue;
		/* Acquire: the previous owner has read the value it took. */
		if (!atomic_compare_exchange_strong_explicit(&seg->keys[i],
			    &empty, BUSY, memory_order_acquire,
			    memory_order_relaxed))
			continue;
		at = value_at(s, seg, i);
		((volatile struct live_value *)at)->version++;
		copy(at, v);
		atomic_store_explicit(
			&seg->keys[i], address, memory_order_release);
		return true;
	}
	return false;
}

bool live_put(struct session *s, uint64_t address, const struct live_value *v)
{
	unsigned n = segment_count(s);
	struct segment seg;

	for (unsigned k = n; k-- > 0;)
		if (find_segment(s, k, address, false, &seg) &&
			put_in(s, &seg, address, v))
			return true;
	for (unsigned k = n; k < SESSION_SEGMENTS; k++) {
		if (!find_segment(s, k, address, true, &seg))
			return false;
		if (put_in(s, &seg, address, v))
			return true;
	}
	return false;
}

static inline bool take_from(struct session *s, struct segment *seg,
	uint64_t address, struct live_value *ret)
{
	for (uint32_t i = seg->bucket; i < seg->bucket + LIVE_BUCKET; i++) {
		uint64_t want = address;

		if (atomic_load_explicit(&seg->keys[i], memory_order_relaxed) !=
			address)
			continue;
		/* Acquire pairs with the release of put_in(). */
		if (!atomic_compare_exchange_strong_explicit(&seg->keys[i],
			    &want, BUSY, memory_order_acquire,
			    memory_order_relaxed))
			return false; /* somebody else frees it, too */
		copy(ret, value_at(s, seg, i));
		atomic_store_explicit(&seg->keys[i], 0, memory_order_release);
		return true;
	}
	return false;
}

bool live_take(struct session *s, uint64_t address, struct live_value *ret)
{
	struct segment seg;

	for (unsigned k = segment_count(s); k-- > 0;)
		if (find_segment(s, k, address, false, &seg) &&
			take_from(s, &seg, address, ret))
			return true;
	return false;
}

/* A value is whole if its key was the same address before and after, and the
 * entry has not been used anew in between. */
static bool read_entry(_Atomic uint64_t *key, const struct live_value *value,
	uint64_t *ret_address, struct live_value *ret)
{
	uint64_t before = atomic_load_explicit(key, memory_order_acquire);

	const volatile struct live_value *v = value;
	uint32_t version = v->version;

	if (before == 0 || before == BUSY)
		return false;
	atomic_thread_fence(memory_order_acquire);
	copy(ret, value);
	atomic_thread_fence(memory_order_acquire);
	*ret_address = before;
	return v->version == version &&
	       atomic_load_explicit(key, memory_order_relaxed) == before;
}

void live_each(const struct session *s, live_visit_fn *visit, void *arg)
{
	unsigned n = segment_count(s);

	for (unsigned k = 0; k < n; k++) {
		uint64_t off_k = atomic_load(&s->live_keys.seg[k]);
		uint64_t off_v = atomic_load(&s->live_values.seg[k]);
		_Atomic uint64_t *keys = session_at(s, off_k);
		struct live_value *values = session_at(s, off_v);

		for (uint32_t i = 0; i < seglist_size(&s->live_keys, k); i++) {
			struct live_value v;
			uint64_t address;

			if (read_entry(&keys[i], &values[i], &address, &v))
				visit(address, &v, arg);
		}
	}
}
