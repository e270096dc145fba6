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

/* The value of an address that has been read from the key. It is whole if the
 * key is still the same, and the entry has not been used anew in between. */
static bool read_value(_Atomic uint64_t *key, uint64_t address,
	const volatile struct live_value *value, struct live_value *ret)
{
	uint32_t version = value->version;

	atomic_thread_fence(memory_order_acquire);
	copy(ret, value);
	atomic_thread_fence(memory_order_acquire);
	return value->version == version &&
	       atomic_load_explicit(key, memory_order_relaxed) == address;
}

/* One bucket's entries whose addresses belong to this group: all that share the
 * low bits of their hash. */
struct group {
	uint64_t hash, mask;
	live_visit_fn *visit;
	void *arg;
};

static bool is_of_group(const struct group *g, uint64_t address)
{
	return address != 0 && address != BUSY &&
	       ((pp_mix(address) ^ g->hash) & g->mask) == 0;
}

/* For the next group, or the memory would be waited for at each bucket. Beyond
 * the end it does no harm. */
static void prefetch(const void *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PP_CACHE_LINE)
		__builtin_prefetch((const char *)p + i);
}

static void visit_bucket(const struct session *s, unsigned k, uint32_t bucket,
	const struct group *g)
{
	uint64_t off_k = atomic_load(&s->live_keys.seg[k]);
	uint64_t off_v = atomic_load(&s->live_values.seg[k]);
	_Atomic uint64_t *keys = session_at(s, off_k);
	const struct live_value *values = session_at(s, off_v);

	prefetch(&keys[bucket + LIVE_BUCKET], LIVE_BUCKET * sizeof(*keys));
	prefetch(&values[bucket + LIVE_BUCKET], LIVE_BUCKET * sizeof(*values));
	for (uint32_t i = bucket; i < bucket + LIVE_BUCKET; i++) {
		uint64_t address = atomic_load_explicit(
			&keys[i], memory_order_acquire);
		struct live_value v;

		if (is_of_group(g, address) &&
			read_value(&keys[i], address, &values[i], &v))
			g->visit(address, &v, g->arg);
	}
}

static void visit_group(
	const struct session *s, unsigned segments, const struct group *g)
{
	for (unsigned k = 0; k < segments; k++) {
		uint64_t n = seglist_size(&s->live_keys, k);
		uint64_t step = g->mask + LIVE_BUCKET;

		for (uint64_t at = g->hash & (n - 1); at < n; at += step)
			visit_bucket(s, k, (uint32_t)at, g);
	}
}

/*
 * An address has a bucket in each segment, and may move from one to another
 * while it is being looked for: freed from an old one and allocated anew, it
 * goes to the newest. So all buckets of an address are looked at together,
 * within a microsecond, or it would be seen twice in a walk of milliseconds;
 * whereas of different addresses each may be seen at its own time: what comes
 * before it is seen makes up for what goes.
 *
 * Groups as small as the buckets of the newest segment would make the walk as
 * many times longer as there are segments: older ones, which are smaller, would
 * be looked through for each. So eight buckets of it are in one.
 */
#define GROUP_SEGMENTS 4u

void live_each(const struct session *s, live_visit_fn *visit, void *arg)
{
	unsigned n = segment_count(s);
	unsigned k = n > GROUP_SEGMENTS ? n - GROUP_SEGMENTS : 0;
	uint64_t groups = seglist_size(&s->live_keys, k);

	for (uint64_t hash = 0; hash < groups; hash += LIVE_BUCKET) {
		struct group g = { hash, (groups - 1) & ~(LIVE_BUCKET - 1u),
			visit, arg };

		visit_group(s, n, &g);
	}
}
