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

#include "assign.h"
#include "list.h"
#include "lookup.h"
#include "module.h"
#include "symbolize.h"
#include "tell.h"

/* How a mapping lies in its file, and whether all was found that there is. */
struct lie {
	bool tried, known;
	bool had_lines; /* by whatever rules */
	bool wanted, unread;
	uint64_t bias; /* address - bias = address in the file */
	GElf_Phdr segment;
};

struct job {
	struct functions *f;
	const struct symbolize_options *o;
	unsigned refused;
	uint32_t *wanted; /* locations, those of one file together */
	size_t count, room;
	size_t done;
	struct lie *lies;      /* by mapping */
	const char *path;      /* of the file being read */
	struct module *module; /* it */
	struct assign give;    /* for it */
};

static struct pprof_mapping *mapping_of(const struct job *j, uint32_t location)
{
	struct pprof *p = j->f->p;

	return &p->mappings[p->locations[location].mapping - 1];
}

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
			!is_file(&p->strings[mapping_of(j, (uint32_t)i)
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
	const struct pprof_mapping *x = mapping_of(arg, *(const uint32_t *)a);
	const struct pprof_mapping *y = mapping_of(arg, *(const uint32_t *)b);

	if (x->filename != y->filename)
		return x->filename < y->filename ? -1 : 1;
	return (x->build_id > y->build_id) - (x->build_id < y->build_id);
}

/* --- one file ------------------------------------------------------------- */

static const struct lie *lie_of(
	struct job *j, const struct module *m, uint32_t location)
{
	const struct pprof_mapping *map = mapping_of(j, location);
	struct lie *lie = &j->lies[map - j->f->p->mappings];

	if (!lie->tried)
		lie->known = module_segment(
			m, map->start, map->offset, &lie->segment, &lie->bias);
	lie->tried = true;
	return lie;
}

static uint64_t address_of(const struct job *j, uint32_t location)
{
	const struct pprof_mapping *map = mapping_of(j, location);

	return j->f->p->locations[location].address -
	       j->lies[map - j->f->p->mappings].bias;
}

static int visit(
	void *arg, uint32_t user, const struct lookup_frame *frames, size_t n)
{
	struct job *j = arg;

	tell_progress(j->path, ++j->done, j->count);
	return assign_lines(&j->give, user, address_of(j, user), frames, n);
}

static Dwarf *renew(void *arg)
{
	struct job *j = arg;

	assign_forget(&j->give);
	return module_renew(j->module) ? j->module->dwarf : NULL;
}

/* Not all is known that could be: another time it may be. */
static void set_unread(struct job *j, const uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		j->lies[mapping_of(j, from[i]) - j->f->p->mappings].unread =
			true;
}

/* The addresses as they are in the file; of those without lines so far. */
static size_t make_places(struct job *j, const struct module *m,
	const uint32_t *from, size_t n, struct lookup_place *places)
{
	const struct pprof *p = j->f->p;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!lie_of(j, m, from[i])->known)
			set_unread(j, from + i, 1);
		if (!lie_of(j, m, from[i])->known ||
			assign_has_line(p, &p->locations[from[i]]))
			continue;
		places[count++] = (struct lookup_place){
			.address = address_of(j, from[i]), .user = from[i]
		};
	}
	return count;
}

static int by_address(const void *a, const void *b)
{
	const struct lookup_place *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static int look_up(
	struct job *j, struct module *m, const uint32_t *from, size_t n)
{
	struct lookup_place *places = calloc(n, sizeof(*places));
	size_t count;
	bool incomplete = m->incomplete || !m->main.elf || !m->dwarf;
	int err = 0;

	if (!places)
		return -ENOMEM;
	j->module = m;
	assign_open(&j->give, j->f, m);
	count = make_places(j, m, from, n, places);
	qsort(places, count, sizeof(*places), by_address);
	if (m->dwarf)
		err = lookup(m->dwarf, places, count,
			&(struct lookup_visitor){
				visit, renew, &incomplete, j });
	for (size_t i = 0; i < count && !err; i++)
		err = assign_symbol(
			&j->give, places[i].user, places[i].address);
	assign_close(&j->give);
	free(places);
	if (incomplete)
		set_unread(j, from, n);
	return err;
}

static int do_file(struct job *j, const uint32_t *from, size_t n)
{
	const struct pprof *p = j->f->p;
	const struct pprof_mapping *map = mapping_of(j, *from);
	const struct slice *name = &p->strings[map->filename],
			   *id = &p->strings[map->build_id];
	char *path = strndup((const char *)name->data, name->len);
	struct find_what what = { .path = path,
		.id = build_id_parse(id->data, id->len),
		.start = map->start,
		.limit = map->limit,
		.until_ns = p->time_ns };
	struct module m;
	int err = 0;

	if (!path)
		return -ENOMEM;
	j->path = path;
	tell_file(path);
	if (module_open(&m, &j->o->where, &what))
		err = look_up(j, &m, from, n);
	else
		set_unread(j, from, n);
	j->refused += m.refused;
	module_close(&m);
	free(path);
	return err;
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
		qsort_r(j->wanted, j->count, sizeof(*j->wanted), by_file, j);
	for (; from < j->count && !err; from = to) {
		for (to = from + 1; to < j->count; to++) {
			if (by_file(&j->wanted[from], &j->wanted[to], j) != 0)
				break;
		}
		err = do_file(j, j->wanted + from, to - from);
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
