/*
 * real_next.c - real_resolve_all(): all names behind our hooks in one go.
 *
 * What dlsym(RTLD_NEXT) would answer, found by hand where that is plain: the
 * objects of the start, from the one behind us up to libc, are asked in their
 * order. What then is missing or not plain is left to dlsym; everything is, if
 * libc is not behind us (we were loaded later, or into another namespace).
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "fmt.h"
#include "lookup.h"
#include "process.h"
#include "real.h"

/* Names and hashes without a pointer, which the loader would have to fill in:
 * the names behind one another, in the order of struct real. */
#define ROOM(result, name, params, args) char name[sizeof(#name)];
#define TEXT(result, name, params, args) .name = #name,
#define HASH(result, name, params, args) LOOKUP_HASH(#name),
#define FITS(result, name, params, args) \
	_Static_assert(sizeof(#name) <= LOOKUP_MOST, #name);
static const struct names {
	REAL_ALL(ROOM)
} real_names = { REAL_ALL(TEXT) };
static const uint32_t real_hashes[] = { REAL_ALL(HASH) };
REAL_ALL(FITS)

#define REAL_COUNT (sizeof(struct real) / sizeof(void *))
_Static_assert(REAL_COUNT == PP_ARRAY_LEN(real_hashes), "one hash for each");

/* A look at struct real as the row of pointers that it is. */
static void *get(size_t i)
{
	void *p;

	memcpy(&p, (const char *)&real + i * sizeof(p), sizeof(p));
	return p;
}

static void set(size_t i, void *p)
{
	memcpy((char *)&real + i * sizeof(p), &p, sizeof(p));
}

/* Not a stub of ours any more. */
static bool is_resolved(size_t i)
{
	uintptr_t p = (uintptr_t)get(i);

	return p != 0 && (p < process.text_lo || p >= process.text_hi);
}

#define ONE(result, name, params, args) +1u
#define AT_ONCE_COUNT (0u REAL_AT_ONCE(ONE))
#define MUST_COUNT (0u REAL_LIST(ONE))

static void *ask_dlsym(size_t i, const char *name)
{
	return i < MUST_COUNT ? real_must(name) : real_next_or_null(name);
}

static const char *behind(const char *name)
{
	return name + str_len(name) + 1;
}

static void resolve(const struct lookup_object *o, size_t i, const char *name)
{
	void *p = NULL;
	enum lookup found;

	if (is_resolved(i))
		return;
	found = lookup_function(o, name, real_hashes[i], &p);
	if (found != LOOKUP_NONE)
		set(i, found == LOOKUP_FOUND ? p : ask_dlsym(i, name));
}

static void resolve_in(const struct lookup_object *o)
{
	const char *name = (const char *)&real_names;

	for (size_t i = 0; i < REAL_COUNT; i++, name = behind(name))
		resolve(o, i, name);
}

static bool is_libc(const struct link_map *map)
{
	return lookup_holds(map, (const void *)__errno_location);
}

static void resolve_by_hand(const struct link_map *self)
{
	const struct link_map *map = self, *libc = map;
	struct lookup_object object;

	while (libc && !is_libc(libc))
		libc = libc->l_next;
	if (!libc)
		return;
	do {
		map = map->l_next;
		if (!lookup_open(&object, map))
			return;
		resolve_in(&object);
	} while (map != libc);
}

static void resolve_rest(void)
{
	const char *name = (const char *)&real_names;

	for (size_t i = 0; i < REAL_COUNT; i++, name = behind(name))
		if (!is_resolved(i))
			set(i, ask_dlsym(i, name));
}

/* libc, if it is the one behind us and nothing but its table decides. */
static struct lookup_object libc_next;
static bool libc_is_next;

static bool look_at_libc(const struct link_map *self)
{
	libc_is_next = self->l_next && is_libc(self->l_next) &&
		       lookup_open(&libc_next, self->l_next) &&
		       !lookup_is_altered();
	return libc_is_next;
}

/* Those with stubs that do more than call on, and those that may be NULL. */
static void resolve_at_once(void)
{
	const char *name = (const char *)&real_names;

	for (size_t i = 0; i < AT_ONCE_COUNT; i++, name = behind(name))
		resolve(&libc_next, i, name);
	name = (const char *)&real_names + offsetof(struct names, execveat);
	for (size_t i = MUST_COUNT; i < REAL_COUNT; i++, name = behind(name))
		resolve(&libc_next, i, name);
}

void real_resolve_all(void)
{
	const struct link_map *self = lookup_self();

	if (self && look_at_libc(self) && !real_early_used()) {
		resolve_at_once();
		return;
	}
	if (self && !lookup_is_altered())
		resolve_by_hand(self);
	resolve_rest();
}

void *real_find(const char *name, uint32_t hash)
{
	void *p;

	if (libc_is_next &&
		lookup_function(&libc_next, name, hash, &p) == LOOKUP_FOUND)
		return p;
	return real_must(name);
}
