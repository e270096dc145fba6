/*
 * cache.h - what is known from other profiles, so that the same address is not
 * looked up again.
 *
 * A process writes a profile every few seconds, most of it the same code. Of a
 * profile that was symbolized before, the lines of an address hold in the next
 * one, too, if the file is the same by its build id, and if they were found by
 * the same rules. That is said in the profile, in a field of ours
 * (pprof_mapping.read): of a mapping that has it, also the addresses without
 * lines were looked up, and there are none.
 *
 * Owner: cache_free(). Context: PP_NORMAL.
 */
#ifndef CACHE_H
#define CACHE_H

#include "pp.h"

#include "functions.h"
#include "names.h"
#include "pprof.h"

struct cache;

/* What pprof_mapping.read is for names of this style. */
uint64_t cache_rules(enum names_style style);

/* NULL without memory. */
struct cache *cache_new(enum names_style style);
void cache_free(struct cache *c); /* NULL is fine */

/* Take what a profile knows. One that cannot be used changes nothing, and
 * that is said: it is only speed. */
void cache_read(struct cache *c, const char *path);
/* The same for one in memory, whose data may go afterwards; returns whether
 * there was anything to take. */
bool cache_take(struct cache *c, const struct pprof *p);

/* The profile that is asked about until the next call. 0 or -ENOMEM. */
int cache_begin(struct cache *c, struct functions *f);
/* 1 when everything is known about a location and in the profile now; 0 when
 * it has to be looked up; -errno. */
int cache_give(struct cache *c, uint32_t location);

#endif
