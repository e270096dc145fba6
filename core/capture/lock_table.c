/*
 * lock_table.c - see lock_table.h. Context: PP_ANY.
 *
 * A state changes as a whole, by one CAS of 16 bytes. Its tag changes whenever
 * the entry is given to another lock, so a CAS that succeeds was about the lock
 * whose key was read in between. While an entry changes hands n is BUSY.
 *
 * Two threads may make an entry for the same lock at the same time: then a
 * release finds both.
 *
 * `waiting` is raised before n and lowered after it: whoever sees it zero may
 * miss a waiter only that has just come.
 */
#include "pp.h"

#include "arch.h"
#include "lock_table.h"

#define N_MASK 0x7fffffffu
#define BUSY N_MASK
#define OWING UINT64_C(0x80000000)
#define TAG_SHIFT 32

#define SEQ_BITS 26
#define SEQ_MASK ((1u << SEQ_BITS) - 1)
#define SHIFT_BITS 6

static uint32_t n_of(struct lock_state s)
{
	return (uint32_t)s.head & N_MASK;
}

static uint32_t tag_of(struct lock_state s)
{
	return (uint32_t)(s.head >> TAG_SHIFT);
}

static struct lock_state state_read(const struct lock_entry *e)
{
	const volatile struct lock_state *s = &e->state;

	return (struct lock_state){ s->head, s->sum };
}

/* A torn read fails here, and is made good. */
static bool state_change(
	struct lock_entry *e, struct lock_state *old, struct lock_state new)
{
	return arch_cas16(&e->state, old, &new);
}

static struct lock_bucket *bucket_of(
	const struct lock_table *t, const void *lock)
{
	return (struct lock_bucket *)(uintptr_t)&t->buckets[lock_bucket(lock)];
}

void (*lock_table_changed)(void);

static void come(struct lock_table *t, struct lock_bucket *b)
{
	atomic_fetch_add(&b->waiting, 1);
	if (atomic_fetch_add(&t->waiting, 1) == 0 && lock_table_changed)
		lock_table_changed();
}

static void go(struct lock_table *t, struct lock_bucket *b)
{
	atomic_fetch_sub(&b->waiting, 1);
	if (atomic_fetch_sub(&t->waiting, 1) == 1 && lock_table_changed)
		lock_table_changed();
}

/* Join the waiters of an entry; 0 = it is another lock's by now. */
static uint32_t join(
	struct lock_bucket *b, unsigned way, uint64_t key, uint64_t now)
{
	struct lock_entry *e = &b->entries[way];
	struct lock_state old = state_read(e), new;

	do {
		if (atomic_load(&b->keys[way]) != key || n_of(old) >= BUSY - 1)
			return 0;
		new = (struct lock_state){ old.head + 1, old.sum + now };
	} while (!state_change(e, &old, new));
	return tag_of(old);
}

/* Make an entry that nobody needs this lock's; 0 = it is needed. */
static uint32_t take_over(struct lock_table *t, struct lock_bucket *b,
	unsigned way, uint64_t key, uint64_t now)
{
	struct lock_entry *e = &b->entries[way];
	struct lock_state old = state_read(e), new;
	uint64_t tag = (uint64_t)tag_of(old) + 1;

	if (n_of(old) != 0)
		return 0;
	tag = (tag & UINT32_MAX) ? tag << TAG_SHIFT : UINT64_C(1) << TAG_SHIFT;
	new = (struct lock_state){ tag | BUSY, 0 };
	if (!state_change(e, &old, new))
		return 0;
	if (old.head & OWING)
		go(t, b);
	atomic_store(&b->keys[way], key);
	atomic_store(&e->last, 0);
	atomic_store(&e->releaser, 0);
	atomic_store(&e->rest, 0);
	old = new;
	(void)state_change(e, &old, (struct lock_state){ tag | 1, now });
	return (uint32_t)(tag >> TAG_SHIFT);
}

/* An entry for the lock; the ones without an owner first, then those that only
 * owe something, which is lost. */
static uint32_t find_or_make(struct lock_table *t, struct lock_bucket *b,
	uint64_t key, uint64_t now, unsigned *ret_way)
{
	uint32_t tag = 0;

	for (unsigned i = 0; i < LOCK_WAYS && !tag; i++) {
		*ret_way = i;
		if (atomic_load(&b->keys[i]) == key)
			tag = join(b, i, key, now);
	}
	for (unsigned i = 0; i < 2 * LOCK_WAYS && !tag; i++) {
		*ret_way = i % LOCK_WAYS;
		if (i >= LOCK_WAYS ||
			!(state_read(&b->entries[i]).head & OWING))
			tag = take_over(t, b, *ret_way, key, now);
	}
	return tag;
}

bool lock_table_enter(struct lock_table *t, const void *lock, uint64_t now,
	struct lock_token *ret)
{
	struct lock_bucket *b = bucket_of(t, lock);
	unsigned way;

	come(t, b);
	ret->tag = find_or_make(t, b, (uintptr_t)lock, now, &way);
	if (!ret->tag) {
		go(t, b);
		return false;
	}
	ret->entry = (uint32_t)(b - t->buckets) * LOCK_WAYS + way;
	ret->began = now;
	return true;
}

static struct lock_bucket *bucket_of_token(
	struct lock_table *t, const struct lock_token *token)
{
	return &t->buckets[token->entry / LOCK_WAYS % LOCK_BUCKETS];
}

enum leaving { GOT, GIVEN_UP, FORGOTTEN };

/* It was released, but not here: by another process, or by a thread's death.
 * (That may also seem so of a release that was under way when the wait began;
 * hence only of long waits.) */
static bool is_unseen(const struct lock_token *token, uint64_t now,
	enum leaving how, uint64_t last)
{
	return how == GOT && last <= token->began &&
	       now > token->began + LOCK_UNSEEN_NS;
}

/* What a waiter takes along: all that is not charged yet, or, if it leaves that
 * to the next release, what it would have from now on. After an unseen release
 * the others, too, have waited for it until now: nobody here is charged. */
static uint64_t sum_without(struct lock_state old,
	const struct lock_token *token, uint64_t now, enum leaving how,
	uint64_t last)
{
	if (is_unseen(token, now, how, last))
		return (n_of(old) - 1) * now;
	if (how == GIVEN_UP)
		return old.sum - now;
	return old.sum - PP_MAX(token->began, last);
}

/* Take a waiter out of the sum. False when a fork has wiped the entry. */
static bool take_out(struct lock_table *t, const struct lock_token *token,
	uint64_t now, enum leaving how, uint64_t *ret_last)
{
	struct lock_bucket *b = bucket_of_token(t, token);
	struct lock_entry *e = &b->entries[token->entry % LOCK_WAYS];
	struct lock_state old = state_read(e), new;
	bool owes;

	*ret_last = atomic_load(&e->last);
	if (is_unseen(token, now, how, *ret_last))
		atomic_store(&e->last, now);
	do {
		if (tag_of(old) != token->tag || n_of(old) == 0 ||
			n_of(old) == BUSY)
			return false;
		if (!is_unseen(token, now, how, *ret_last))
			*ret_last = atomic_load(&e->last);
		new.head = old.head - 1;
		new.sum = sum_without(old, token, now, how, *ret_last);
		owes = how == GIVEN_UP && n_of(new) == 0 && !(old.head & OWING);
		if (owes)
			new.head |= OWING;
		if (n_of(new) == 0 && !(new.head &OWING))
			new.sum = 0;
	} while (!state_change(e, &old, new));
	if (!owes)
		go(t, b);
	return true;
}

/* The time from the last release on is that releaser's. */
static uint64_t rest_of(struct lock_entry *e, uint64_t ns, uint32_t *ret_row,
	unsigned *ret_shift)
{
	uint64_t who = atomic_load(&e->releaser);

	*ret_row = (uint32_t)(who >> 32);
	*ret_shift = (unsigned)(who >> SEQ_BITS) & ((1u << SHIFT_BITS) - 1);
	if (*ret_row == LOCK_NOT_SAMPLED)
		return 0;
	if (*ret_row)
		return ns;
	if (who)
		atomic_fetch_add(&e->rest, ns);
	return 0;
}

uint64_t lock_table_leave(struct lock_table *t, const struct lock_token *token,
	uint64_t now, bool got, uint32_t *ret_row, unsigned *ret_shift)
{
	struct lock_bucket *b = bucket_of_token(t, token);
	uint64_t last;

	if (!take_out(t, token, now, got ? GOT : GIVEN_UP, &last) || !got)
		return 0;
	if (is_unseen(token, now, GOT, last))
		*ret_row = LOCK_UNSEEN;
	if (last <= token->began || now <= last)
		return 0;
	return rest_of(&b->entries[token->entry % LOCK_WAYS], now - last,
		ret_row, ret_shift);
}

void lock_table_forget(struct lock_table *t, const struct lock_token *token)
{
	uint64_t last;

	(void)take_out(t, token, 0, FORGOTTEN, &last);
}

/* Charge one entry's waiters; false if it has none. */
static bool release_entry(struct lock_table *t, struct lock_bucket *b,
	unsigned way, uint64_t key, uint64_t now, struct lock_release *r)
{
	struct lock_entry *e = &b->entries[way];
	struct lock_state old = state_read(e), new;

	do {
		if (n_of(old) == BUSY || atomic_load(&b->keys[way]) != key ||
			!(old.head & (OWING | N_MASK)))
			return false;
		new.head = old.head & ~OWING;
		new.sum = n_of(old) * now;
		/* Some have come since the clock was read: charged later. */
		if ((int64_t)(new.sum - old.sum) < 0)
			new.sum = old.sum;
		/* Who reads it goes by the sum: before it changes. */
		atomic_store(&e->last, now);
		atomic_store(&e->releaser, r->seq);
	} while (!state_change(e, &old, new));
	if (old.head & OWING)
		go(t, b);
	r->ns += new.sum - old.sum;
	return true;
}

bool lock_table_release(struct lock_table *t, const void *lock, uint64_t now,
	struct lock_release *ret)
{
	struct lock_bucket *b = bucket_of(t, lock);
	uint64_t key = (uintptr_t)lock;

	*ret = (struct lock_release){ .bucket = (uint32_t)(b - t->buckets),
		.seq = ((uint32_t)now & SEQ_MASK) | 1 };
	for (unsigned i = 0; i < LOCK_WAYS; i++) {
		if (atomic_load_explicit(&b->keys[i], memory_order_relaxed) ==
				key &&
			release_entry(t, b, i, key, now, ret))
			ret->ways |= 1u << i;
	}
	return ret->ways != 0;
}

uint64_t lock_table_charged(struct lock_table *t, const struct lock_release *r,
	uint32_t row, unsigned shift)
{
	struct lock_bucket *b = &t->buckets[r->bucket];
	uint64_t rest = 0;

	for (unsigned i = 0; i < LOCK_WAYS; i++) {
		uint64_t mine = r->seq;

		if (!(r->ways & 1u << i))
			continue;
		/* Another release may have come meanwhile. */
		(void)atomic_compare_exchange_strong(&b->entries[i].releaser,
			&mine,
			(uint64_t)row << 32 | (uint64_t)shift << SEQ_BITS |
				r->seq);
		rest += atomic_exchange(&b->entries[i].rest, 0);
	}
	return rest;
}
