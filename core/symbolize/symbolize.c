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

/* How a mapping lies in its file. */
struct lie {
	bool tried, known;
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

		if (!l->mapping || !l->address ||
			!is_file(&p->strings[mapping_of(j, (uint32_t)i)
						     ->filename]))
			continue;
		if (assign_has_line(p, l) && !j->o->rebase)
			continue;
		if (!LIST_ADD(j->wanted, j->count, j->room))
			return -ENOMEM;
		j->wanted[j->count - 1] = (uint32_t)i;
	}
	return 0;
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

/* The addresses as they are in the file; of those without lines so far. */
static size_t make_places(struct job *j, const struct module *m,
	const uint32_t *from, size_t n, struct lookup_place *places)
{
	const struct pprof *p = j->f->p;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
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
	int err = 0;

	if (!places)
		return -ENOMEM;
	j->module = m;
	assign_open(&j->give, j->f, m);
	n = make_places(j, m, from, n, places);
	qsort(places, n, sizeof(*places), by_address);
	if (m->dwarf)
		err = lookup(m->dwarf, places, n,
			&(struct lookup_visitor){ visit, renew, j });
	for (size_t i = 0; i < n && !err; i++)
		err = assign_symbol(
			&j->give, places[i].user, places[i].address);
	assign_close(&j->give);
	free(places);
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

static int do_all(struct job *j)
{
	int err = list_locations(j);
	size_t from = 0, to;

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
