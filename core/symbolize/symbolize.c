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

#include "entry_name.h"
#include "list.h"
#include "lookup.h"
#include "module.h"
#include "symbolize.h"
#include "tell.h"

/* A location and the file it is in. */
struct where {
	uint32_t file, build_id; /* strings of its mapping */
	uint32_t location;
	uint64_t address;
};

struct job {
	struct functions *f;
	const struct symbolize_options *o;
	unsigned refused;
	struct where *all;
	size_t count, room;
	size_t done;
	const char *path; /* of the file being read */
	struct entry_names names;
};

/* Names of mappings that are no files: [vdso], //anon, devices, nothing. */
static bool is_file(const struct slice *name)
{
	const char *s = (const char *)name->data;

	return name->len && s[0] == '/' && !(name->len > 1 && s[1] == '/') &&
	       !(name->len >= 5 && memcmp(s, "/dev/", 5) == 0 &&
		       !(name->len >= 9 && memcmp(s, "/dev/shm/", 9) == 0));
}

static bool has_line(const struct pprof *p, const struct pprof_location *l)
{
	for (uint32_t i = 0; i < l->line_count; i++) {
		if (p->lines[l->first_line + i].line)
			return true;
	}
	return false;
}

static int list_locations(struct job *j)
{
	struct pprof *p = j->f->p;

	for (size_t i = 0; i < p->location_count; i++) {
		const struct pprof_location *l = &p->locations[i];
		const struct pprof_mapping *m;
		struct where *w;

		if (!l->mapping || !l->address || has_line(p, l))
			continue;
		m = &p->mappings[l->mapping - 1];
		if (!is_file(&p->strings[m->filename]))
			continue;
		w = LIST_ADD(j->all, j->count, j->room);
		if (!w)
			return -ENOMEM;
		*w = (struct where){ m->filename, m->build_id, (uint32_t)i,
			l->address };
	}
	return 0;
}

static int by_file(const void *a, const void *b)
{
	const struct where *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return (x->build_id > y->build_id) - (x->build_id < y->build_id);
}

static struct pprof_mapping *mapping_of(struct job *j, uint32_t location)
{
	struct pprof *p = j->f->p;

	return &p->mappings[p->locations[location].mapping - 1];
}

/* The name a location came with, or NULL. For free(). */
static char *name_before(struct job *j, const struct pprof_location *l)
{
	const struct pprof *p = j->f->p;
	const struct pprof_function *fn;
	const struct slice *s;

	if (l->line_count != 1)
		return NULL;
	fn = &p->functions[p->lines[l->first_line].function];
	s = &p->strings[fn->system_name ? fn->system_name : fn->name];
	return s->len ? strndup((const char *)s->data, s->len) : NULL;
}

/* A part of a function that the compiler moved or copied: f.cold, f.part.0. */
static bool is_part(const char *symbol, const char *name)
{
	size_t len = strlen(name);

	return strncmp(symbol, name, len) == 0 && symbol[len] == '.';
}

/* A function keeps the symbol the profile has for it: of several that are the
 * same code (malloc, __libc_malloc) one was chosen with care. */
static void keep_symbol(struct function_name *name, const char *symbol)
{
	bool same = name->system_name && strcmp(name->system_name, symbol) == 0;

	if (name->name && !same && !is_part(symbol, name->name))
		name->name = NULL;
	name->system_name = symbol;
}

static bool same_text(const char *a, const char *b)
{
	return a && b && (a == b || strcmp(a, b) == 0);
}

/* A profile has one file for a function and its lines: that of the line. So a
 * start line is given only if the function starts in that file. */
static long add_function(
	struct job *j, const struct lookup_frame *frame, const char *before)
{
	struct function_name name = { .file = frame->file };
	const struct entry_name *e;

	if (frame->function.addr) {
		e = entry_names_get(&j->names, &frame->function);
		if (!e)
			return -ENOMEM;
		name.system_name = e->linkage;
		name.name = e->name;
		if (same_text(e->file, frame->file))
			name.start_line = e->line;
	}
	if (before)
		keep_symbol(&name, before);
	return functions_add(j->f, &name);
}

static void set_flags(struct pprof_mapping *m)
{
	m->has_functions = m->has_filenames = m->has_lines = m->has_inlines =
		true;
	m->changed = true;
}

static int visit(
	void *arg, uint32_t user, const struct lookup_frame *frames, size_t n)
{
	struct job *j = arg;
	struct pprof *p = j->f->p;
	struct pprof_location *l = &p->locations[user];
	char *before = name_before(j, l);
	size_t first = p->line_count;
	int err = 0;

	tell_progress(j->path, ++j->done, j->count);
	if (!before && !frames[n - 1].function.addr)
		return 0;
	for (size_t i = 0; i < n && !err; i++) {
		long fn = add_function(
			j, &frames[i], i + 1 == n ? before : NULL);

		if (fn < 0)
			err = (int)fn;
		else if (!pprof_add_line(p, (uint32_t)fn, frames[i].line))
			err = -ENOMEM;
	}
	free(before);
	if (err)
		return err;
	l->first_line = (uint32_t)first;
	l->line_count = (uint32_t)n;
	l->named = true;
	set_flags(mapping_of(j, user));
	return 0;
}

/* The addresses as they are in the file. */
static size_t make_places(struct job *j, const struct module *m,
	const struct where *from, size_t n, struct lookup_place *places)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct pprof_mapping *map = mapping_of(
			j, from[i].location);
		GElf_Phdr segment;
		uint64_t bias;

		if (!module_segment(m, map->start, map->limit, map->offset,
			    &segment, &bias))
			continue;
		places[count++] = (struct lookup_place){
			.address = from[i].address - bias,
			.user = from[i].location
		};
	}
	return count;
}

static int by_address(const void *a, const void *b)
{
	const struct lookup_place *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static int look_up(struct job *j, const struct module *m,
	const struct where *from, size_t n)
{
	struct lookup_place *places = calloc(n, sizeof(*places));
	int err;

	if (!places)
		return -ENOMEM;
	n = make_places(j, m, from, n, places);
	qsort(places, n, sizeof(*places), by_address);
	entry_names_init(&j->names);
	err = lookup(m->dwarf, places, n, visit, j);
	entry_names_free(&j->names);
	free(places);
	return err;
}

static int do_file(struct job *j, const struct where *from, size_t n)
{
	const struct pprof *p = j->f->p;
	const struct pprof_mapping *map = mapping_of(j, from->location);
	const struct slice *name = &p->strings[from->file],
			   *id = &p->strings[from->build_id];
	char *path = strndup((const char *)name->data, name->len);
	struct find_what what = { .path = path,
		.id = build_id_parse(id->data, id->len),
		.start = map->start,
		.limit = map->limit };
	struct module m;
	int err = 0;

	if (!path)
		return -ENOMEM;
	j->path = path;
	tell_file(path);
	if (module_open(&m, &j->o->where, &what) && m.dwarf)
		err = look_up(j, &m, from, n);
	j->refused += m.refused;
	module_close(&m);
	free(path);
	return err;
}

int symbolize(struct functions *f, const struct symbolize_options *o,
	unsigned *ret_refused)
{
	struct job j = { .f = f, .o = o };
	int err = list_locations(&j);
	size_t from = 0, to;

	if (j.count)
		qsort(j.all, j.count, sizeof(*j.all), by_file);
	for (; from < j.count && !err; from = to) {
		for (to = from + 1; to < j.count; to++) {
			if (by_file(&j.all[from], &j.all[to]) != 0)
				break;
		}
		err = do_file(&j, j.all + from, to - from);
	}
	tell_progress_end();
	free(j.all);
	if (!err)
		functions_make_readable(f);
	*ret_refused = j.refused;
	return err;
}
