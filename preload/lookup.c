/*
 * lookup.c - see lookup.h. Context: PP_ANY.
 *
 * The layout of DT_GNU_HASH: a filter of bits, two of which each name has set;
 * for each bucket the index of its first symbol; for each symbol its hash, the
 * lowest bit of which is taken to mark the last one of a bucket.
 */
#include "pp.h"

#include <unistd.h>

#include "fmt.h"
#include "lookup.h"

#define VERSION_IS_HIDDEN 0x8000u

const struct link_map *lookup_self(void)
{
	const struct link_map *map = _r_debug.r_map;

	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	return map;
}

/* Linkers put the dynamic section behind the code. */
bool lookup_holds(const struct link_map *map, const void *function)
{
	return (uintptr_t)function - map->l_addr <
	       (uintptr_t)map->l_ld - map->l_addr;
}

static bool begins(const char *s, const char *with)
{
	while (*with && *s == *with) {
		s++;
		with++;
	}
	return !*with;
}

/* Auditors: they may answer dlsym as they like. In LD_DYNAMIC_WEAK's order weak
 * definitions come last. */
static bool is_altered_by_user(void)
{
	for (char **e = environ; e && *e; e++)
		if (**e == 'L' && (begins(*e, "LD_AUDIT=") ||
					  begins(*e, "LD_DYNAMIC_WEAK=")))
			return true;
	return false;
}

static bool is_altered_by_program(void)
{
	const ElfW(Dyn) *d = _r_debug.r_map->l_ld;

	for (; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_AUDIT || d->d_tag == DT_DEPAUDIT)
			return true;
	return false;
}

bool lookup_is_altered(void)
{
	static enum { UNKNOWN, NO, YES } known;

	if (known == UNKNOWN)
		known = is_altered_by_user() || is_altered_by_program() ? YES
									: NO;
	return known == YES;
}

/* The loader has made addresses of offsets, if it could write them. */
static const void *place(const struct link_map *map, const ElfW(Dyn) * d)
{
	ElfW(Addr) at = d->d_un.d_ptr;

	return (const void *)(at < map->l_addr ? at + map->l_addr : at);
}

static void open_hash(struct lookup_object *ret, const uint32_t *table)
{
	ret->bucket_count = table[0];
	ret->bloom_mask = table[2] - 1;
	ret->bloom_shift = table[3];
	ret->bloom = (const uint64_t *)(const void *)(table + 4);
	ret->buckets = (const uint32_t *)(ret->bloom + table[2]);
	ret->chains = ret->buckets + table[0] - table[1];
}

bool lookup_open(struct lookup_object *ret, const struct link_map *map)
{
	const void *hash = NULL;

	*ret = (struct lookup_object){ .base = map->l_addr };
	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_GNU_HASH)
			hash = place(map, d);
		else if (d->d_tag == DT_SYMTAB)
			ret->symbols = place(map, d);
		else if (d->d_tag == DT_STRTAB)
			ret->strings = place(map, d);
		else if (d->d_tag == DT_VERSYM)
			ret->versions = place(map, d);
	}
	if (!hash || !ret->symbols || !ret->strings)
		return false;
	open_hash(ret, hash);
	return true;
}

/* Whether the filter lets a name pass. */
static bool may_have(const struct lookup_object *o, uint32_t hash)
{
	uint64_t word = o->bloom[hash / 64 & o->bloom_mask];

	return (word >> (hash % 64) & word >> (hash >> o->bloom_shift) % 64 &
		       1) != 0;
}

static enum lookup judge(const struct lookup_object *o, uint32_t i)
{
	const ElfW(Sym) *s = &o->symbols[i];
	unsigned bind = ELF64_ST_BIND(s->st_info);

	if (s->st_shndx == SHN_UNDEF && s->st_value == 0)
		return LOOKUP_NONE;
	if (o->versions && (o->versions[i] & VERSION_IS_HIDDEN))
		return LOOKUP_ODD;
	if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || s->st_value == 0 ||
		(bind != STB_GLOBAL && bind != STB_WEAK) ||
		ELF64_ST_VISIBILITY(s->st_other) != STV_DEFAULT)
		return LOOKUP_ODD;
	return s->st_shndx == SHN_UNDEF || s->st_shndx >= SHN_LORESERVE
		       ? LOOKUP_ODD
		       : LOOKUP_FOUND;
}

enum lookup lookup_function(const struct lookup_object *o, const char *name,
	uint32_t hash, void **ret_function)
{
	enum lookup found = LOOKUP_NONE, one;
	uint32_t i;

	if (o->bucket_count == 0 || !may_have(o, hash))
		return LOOKUP_NONE;
	i = o->buckets[hash % o->bucket_count];
	if (i == 0) /* empty */
		return LOOKUP_NONE;
	for (;; i++) {
		if ((o->chains[i] ^ hash) >> 1 == 0 &&
			str_eq(o->strings + o->symbols[i].st_name, name)) {
			one = judge(o, i);
			if (one == LOOKUP_FOUND) {
				*ret_function =
					(void *)(o->base +
						 o->symbols[i].st_value);
				return one;
			}
			found = PP_MAX(found, one);
		}
		if (o->chains[i] & 1)
			return found;
	}
}
