/*
 * ids.c - see ids.h. Open addressing, at most half full. Keys come from files:
 * where they go is mixed with a secret, or they could be chosen to all go to
 * one place, and each step would look at all of them.
 */
#include "pp.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "ids.h"

#define FIRST_ROOM 64u

static uint64_t draw_secret(void)
{
	uint64_t secret = 0;

	if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) !=
		(ssize_t)sizeof(secret))
		secret = (uint64_t)(uintptr_t)&secret ^ (uint64_t)time(NULL);
	return secret | 1;
}

uint64_t ids_hash(uint64_t key)
{
	static uint64_t secret; /* 0: not drawn yet */

	if (!secret)
		secret = draw_secret();
	return pp_mix(pp_mix(key ^ secret) + secret);
}

uint32_t ids_find(const struct ids *t, uint64_t key, size_t *cursor)
{
	size_t at = (size_t)ids_hash(key) + *cursor;

	if (!t->room)
		return IDS_NONE;
	for (;; at++) {
		const struct ids_entry *e = &t->entries[at & (t->room - 1)];

		++*cursor;
		if (!e->value_1)
			return IDS_NONE;
		if (e->key == key)
			return e->value_1 - 1;
	}
}

static void put(struct ids *t, struct ids_entry entry)
{
	size_t at = (size_t)ids_hash(entry.key);

	while (t->entries[at & (t->room - 1)].value_1)
		at++;
	t->entries[at & (t->room - 1)] = entry;
}

static bool grow(struct ids *t)
{
	struct ids bigger = { .room = t->room ? t->room * 2 : FIRST_ROOM,
		.count = t->count };

	bigger.entries = calloc(bigger.room, sizeof(*bigger.entries));
	if (!bigger.entries)
		return false;
	for (size_t i = 0; i < t->room; i++) {
		if (t->entries[i].value_1)
			put(&bigger, t->entries[i]);
	}
	free(t->entries);
	*t = bigger;
	return true;
}

bool ids_add(struct ids *t, uint64_t key, uint32_t value)
{
	if (2 * (t->count + 1) > t->room && !grow(t))
		return false;
	put(t, (struct ids_entry){ key, value + 1 });
	t->count++;
	return true;
}

void ids_free(struct ids *t)
{
	free(t->entries);
	*t = (struct ids){ 0 };
}
