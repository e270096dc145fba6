/*
 * registry.c - see registry.h. Context: PP_ANY.
 *
 * Entries lie in segments, each twice the last; the first one is static, so
 * that a program of few threads maps nothing. Entries never move and segments
 * are never given back.
 */
#include "pp.h"

#include "lock.h"
#include "registry.h"
#include "sys.h"

#define FIRST 16u /* entries of segment 0 */
#define SEGMENTS 18u
#define BUCKETS 256u

static struct counted_thread first_segment[FIRST];
static _Atomic(struct counted_thread *) segments[SEGMENTS] = { first_segment };
static _Atomic uint32_t size; /* entries ever used, 1..size */
static uint32_t count;
static uint32_t free_list;
static uint32_t buckets[BUCKETS];
static struct lock lock;

void registry_lock(void)
{
	lock_take(&lock);
}

bool registry_lock_for(uint64_t ns)
{
	return lock_take_for(&lock, ns);
}

bool registry_try_lock(void)
{
	return lock_try(&lock);
}

void registry_unlock(void)
{
	lock_drop(&lock);
}

/* Segment k holds the entries FIRST * (2^k - 1) ... of FIRST * 2^k. */
static _Atomic(struct counted_thread *) *segment_of(
	uint32_t i, uint32_t *ret_at)
{
	unsigned k = 31u - (unsigned)__builtin_clz(i / FIRST + 1);

	*ret_at = i - FIRST * ((1u << k) - 1);
	return k < SEGMENTS ? &segments[k] : NULL;
}

struct counted_thread *registry_at(uint32_t index)
{
	_Atomic(struct counted_thread *) *segment;
	struct counted_thread *entries;
	uint32_t at;

	if (index == 0 || index > atomic_load(&size))
		return NULL;
	segment = segment_of(index - 1, &at);
	entries = segment ? atomic_load(segment) : NULL;
	return entries ? &entries[at] : NULL;
}

static uint32_t *bucket_of(uint32_t tid)
{
	return &buckets[pp_mix(tid) % BUCKETS];
}

struct counted_thread *registry_find(uint32_t tid)
{
	struct counted_thread *t;

	for (uint32_t i = *bucket_of(tid); i; i = t->next) {
		t = registry_at(i);
		if (atomic_load(&t->tid) == tid)
			return t;
	}
	return NULL;
}

static struct counted_thread *new_entry(void)
{
	uint32_t i = atomic_load(&size), at;
	_Atomic(struct counted_thread *) *segment = segment_of(i, &at);
	struct counted_thread *entries;

	if (!segment)
		return NULL;
	entries = atomic_load(segment);
	if (!entries) {
		entries = sys_map_pages(
			(size_t)(FIRST << (segment - segments)) *
			sizeof(*entries));
		if (!entries)
			return NULL;
		atomic_store(segment, entries);
	}
	entries[at].index = i + 1;
	atomic_store(&size, i + 1);
	return &entries[at];
}

struct counted_thread *registry_add(uint32_t tid)
{
	struct counted_thread *t = registry_at(free_list);

	if (t)
		free_list = t->next;
	else
		t = new_entry();
	if (!t)
		return NULL;
	t->start_pc = t->base_ns = t->first_ns = 0;
	atomic_store(&t->timer, -1);
	atomic_store(&t->recorded, 0);
	atomic_store(&t->has_tls, false);
	t->paused = false;
	atomic_fetch_add(&t->generation, 1);
	t->next = *bucket_of(tid);
	*bucket_of(tid) = t->index;
	atomic_store(&t->tid, tid);
	count++;
	return t;
}

void registry_remove(struct counted_thread *t)
{
	uint32_t *link = bucket_of(atomic_load(&t->tid));

	while (*link != t->index)
		link = &registry_at(*link)->next;
	*link = t->next;
	atomic_fetch_add(&t->generation, 1);
	atomic_store(&t->timer, -1);
	atomic_store(&t->tid, 0);
	t->next = free_list;
	free_list = t->index;
	count--;
}

uint32_t registry_size(void)
{
	return atomic_load(&size);
}

uint32_t registry_count(void)
{
	return count;
}

/* Another thread may have been changing it when the fork came: uses only what
 * each of those changes leaves valid (the size, and that entries exist). */
void registry_reset(void)
{
	uint32_t n = atomic_load(&size);

	atomic_store(&lock.word, 0);
	free_list = 0;
	count = 0;
	for (unsigned i = 0; i < BUCKETS; i++)
		buckets[i] = 0;
	for (uint32_t i = 1; i <= n; i++) {
		struct counted_thread *t = registry_at(i);

		atomic_fetch_add(&t->generation, 1);
		atomic_store(&t->tid, 0);
		t->next = free_list;
		free_list = i;
	}
}
