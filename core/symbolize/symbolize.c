/*
 * symbolize.c - see symbolize.h.
 *
 * One file after the other: its locations, sorted by address, are looked up
 * together, and the file is closed again.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "list.h"
#include "tell.h"

/* Names of mappings that are no files: [vdso], //anon, devices, nothing. */
static bool is_file(const struct slice *name)
{
	const char *s = (const char *)name->data;

	return name->len && s[0] == '/' && !(name->len > 1 && s[1] == '/') &&
	       !(name->len >= 5 && memcmp(s, "/dev/", 5) == 0 &&
		       !(name->len >= 9 && memcmp(s, "/dev/shm/", 9) == 0));
}

static int list_locations(struct job *j)
{
	struct pprof *p = j->f->p;

	for (size_t i = 0; i < p->location_count; i++) {
		const struct pprof_location *l = &p->locations[i];
		struct lie *lie;
		bool has_line;

		if (!l->mapping || !l->address ||
			!is_file(&p->strings[job_mapping(j, (uint32_t)i)
						     ->filename]))
			continue;
		lie = &j->lies[l->mapping - 1];
		has_line = assign_has_line(p, l);
		lie->had_lines |= has_line;
		if (has_line && !j->o->rebase)
			continue;
		lie->wanted = true;
		if (!LIST_ADD(j->wanted, j->count, j->room))
			return -ENOMEM;
		j->wanted[j->count - 1] = (uint32_t)i;
	}
	return 0;
}

/* What the cache knows is not wanted any more. */
static int ask_cache(struct job *j)
{
	struct cache *cache = j->o->cache;
	size_t left = 0;
	int err;

	if (!cache)
		return 0;
	err = cache_begin(cache, j->f);
	for (size_t i = 0; i < j->count && !err; i++) {
		int given = cache_give(cache, j->wanted[i]);

		if (given < 0)
			err = given;
		else if (!given)
			j->wanted[left++] = j->wanted[i];
	}
	j->count = left;
	return err;
}

static int by_file(const void *a, const void *b, void *arg)
{
	const struct pprof_mapping *x = job_mapping(arg, *(const uint32_t *)a);
	const struct pprof_mapping *y = job_mapping(arg, *(const uint32_t *)b);

	if (x->filename != y->filename)
		return x->filename < y->filename ? -1 : 1;
	return (x->build_id > y->build_id) - (x->build_id < y->build_id);
}

/* --- all ------------------------------------------------------------------ */

/* Addresses as in the files: what the stock tool's disassembly takes them for
 * (contract 2.8). */
static void rebase(struct job *j)
{
	struct pprof *p = j->f->p;

	for (size_t i = 0; i < p->location_count; i++) {
		struct pprof_location *l = &p->locations[i];

		if (!l->mapping || !j->lies[l->mapping - 1].known)
			continue;
		l->address -= j->lies[l->mapping - 1].bias;
		l->moved = true;
	}
	for (size_t i = 0; i < p->mapping_count; i++) {
		struct pprof_mapping *m = &p->mappings[i];
		const GElf_Phdr *s = &j->lies[i].segment;

		if (!j->lies[i].known)
			continue;
		m->start = s->p_vaddr;
		m->limit = s->p_vaddr + s->p_memsz;
		m->offset = s->p_offset;
		m->changed = true;
	}
}

/* Those of one file together, and in it those of one mapping. */
static int by_mapping(const void *a, const void *b, void *arg)
{
	const struct pprof_mapping *x = job_mapping(arg, *(const uint32_t *)a);
	const struct pprof_mapping *y = job_mapping(arg, *(const uint32_t *)b);
	int order = by_file(a, b, arg);

	return order ? order : (x > y) - (x < y);
}

/* What a later run may take for complete (cache.h). */
static void set_read(struct job *j)
{
	struct pprof *p = j->f->p;
	uint64_t rules = cache_rules(j->o->style);

	for (size_t i = 0; i < p->mapping_count; i++) {
		struct pprof_mapping *m = &p->mappings[i];
		const struct lie *lie = &j->lies[i];
		bool was = m->read == rules;
		bool is = was || (lie->wanted && !lie->had_lines);
		uint64_t read = is && !lie->unread ? rules : 0;

		m->changed |= m->read != read;
		m->read = read;
	}
}

static int do_all(struct job *j)
{
	int err = list_locations(j);
	size_t from = 0, to;

	if (!err)
		err = ask_cache(j);
	if (j->count)
		qsort_r(j->wanted, j->count, sizeof(*j->wanted), by_mapping, j);
	for (; from < j->count && !err; from = to) {
		for (to = from + 1; to < j->count; to++) {
			if (by_file(&j->wanted[from], &j->wanted[to], j) != 0)
				break;
		}
		err = job_file(j, j->wanted + from, to - from);
	}
	tell_progress_end();
	if (!err)
		set_read(j);
	if (!err && j->o->rebase)
		rebase(j);
	return err;
}

int symbolize(struct functions *f, const struct symbolize_options *o,
	unsigned *ret_refused)
{
	struct job j = { .f = f, .o = o };
	int err = -ENOMEM;

	j.lies = calloc(f->p->mapping_count + 1, sizeof(*j.lies));
	if (j.lies)
		err = do_all(&j);
	free(j.lies);
	free(j.wanted);
	if (!err)
		functions_make_readable(f);
	*ret_refused = j.refused;
	return err;
}
