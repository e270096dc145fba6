/*
 * job_file.c - see job.h. A file is read in a worker of its own (isolate.h).
 */
#include "pp.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta.h"
#include "isolate.h"
#include "job.h"
#include "lookup.h"
#include "tell.h"

/* --- one file ------------------------------------------------------------- */

static const struct lie *lie_of(
	struct job *j, const struct module *m, uint32_t location)
{
	const struct pprof_mapping *map = job_mapping(j, location);
	struct lie *lie = &j->lies[map - j->f->p->mappings];

	if (!lie->tried)
		lie->known = module_segment(
			m, map->start, map->offset, &lie->segment, &lie->bias);
	lie->tried = true;
	return lie;
}

static uint64_t address_of(const struct job *j, uint32_t location)
{
	const struct pprof_mapping *map = job_mapping(j, location);

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
		j->lies[job_mapping(j, from[i]) - j->f->p->mappings].unread =
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

/* In the worker, or without one. */
static int read_file(struct job *j, const uint32_t *from, size_t n)
{
	const struct pprof *p = j->f->p;
	const struct pprof_mapping *map = job_mapping(j, *from);
	const struct slice *id = &p->strings[map->build_id];
	struct find_what what = { .path = j->path,
		.id = build_id_parse(id->data, id->len),
		.start = map->start,
		.limit = map->limit,
		.until_ns = p->time_ns };
	struct module m;
	int err = 0;

	if (module_open(&m, &j->o->where, &what))
		err = look_up(j, &m, from, n);
	else
		set_unread(j, from, n);
	j->refused += m.refused;
	module_close(&m);
	return err;
}

/* --- in a worker of its own ----------------------------------------------- */

/* Far above what debug information of a gigabyte takes. */
static const struct isolate_limits limits = { .cpu_s = 120,
	.memory = UINT64_C(4) << 30 };

#define LIE DELTA_OTHERS
#define REFUSED (DELTA_OTHERS + 1)

/* The work of a worker, and what of it counts. */
struct task {
	struct job *j;
	const uint32_t *from;
	size_t n;
};

static void put_lie(struct wire_out *to, const struct job *j, uint32_t mapping)
{
	uint8_t bytes[sizeof(mapping) + sizeof(struct lie)];

	memcpy(bytes, &mapping, sizeof(mapping));
	memcpy(bytes + sizeof(mapping), &j->lies[mapping], sizeof(struct lie));
	wire_put_bytes(to, LIE, (struct slice){ bytes, sizeof(bytes) });
}

static int in_worker(void *arg, struct wire_out *ret)
{
	struct task *t = arg;
	const struct pprof *p = t->j->f->p;
	struct delta_since since = delta_begin(p);
	unsigned refused = t->j->refused;
	uint32_t last = UINT32_MAX;
	int err = read_file(t->j, t->from, t->n);

	tell_progress_end();
	delta_put_tables(ret, p, &since);
	for (size_t i = 0; i < t->n; i++) {
		uint32_t mapping = p->locations[t->from[i]].mapping - 1;

		delta_put_location(ret, p, &since, t->from[i]);
		if (mapping == last) /* they are together */
			continue;
		last = mapping;
		delta_put_mapping(ret, p, mapping);
		put_lie(ret, t->j, mapping);
	}
	wire_put_uint(ret, REFUSED, t->j->refused - refused);
	return err;
}

static int take_lie(struct job *j, struct slice bytes)
{
	uint32_t mapping;

	if (bytes.len != sizeof(mapping) + sizeof(struct lie))
		return -EBADMSG;
	memcpy(&mapping, bytes.data, sizeof(mapping));
	if (mapping >= j->f->p->mapping_count)
		return -EBADMSG;
	memcpy(&j->lies[mapping], bytes.data + sizeof(mapping),
		sizeof(struct lie));
	return 0;
}

static int take(struct job *j, struct slice bytes)
{
	struct wire w = wire_open(bytes);
	struct wire_field f;
	struct delta d;
	int err = 0;

	delta_open(&d, j->f);
	while (!err && wire_next(&w, &f)) {
		if (f.number == LIE)
			err = take_lie(j, f.bytes);
		else if (f.number == REFUSED)
			j->refused += f.value != 0;
		else
			err = delta_take(&d, &f);
	}
	delta_close(&d);
	return err;
}

/* The profile says what it lacks; once, however often it is symbolized. */
static int give_up(
	struct job *j, const struct task *t, const struct isolate_result *r)
{
	char reason[64], text[PATH_MAX + 128];
	int len;

	isolate_reason(r, &limits, reason, sizeof(reason));
	tell("%s: left as it was: reading it %s", j->path, reason);
	len = snprintf(text, sizeof(text),
		"symbolize: %.*s left as it was: reading it %s", PATH_MAX,
		j->path, reason);
	set_unread(j, t->from, t->n);
	j->refused++;
	return functions_comment(j->f, text, (size_t)len);
}

static int isolated(struct job *j, const uint32_t *from, size_t n)
{
	struct task t = { j, from, n };
	struct isolate_result r;
	int err = isolate_run(in_worker, &t, &limits, &r);

	if (!err)
		err = take(j, (struct slice){ r.bytes.data, r.bytes.len });
	else if (err == -ECHILD)
		err = give_up(j, &t, &r);
	else /* no process to be had: then it is done here */
		err = read_file(j, from, n);
	isolate_free(&r);
	return err;
}

int job_file(struct job *j, const uint32_t *from, size_t n)
{
	const struct slice *name =
		&j->f->p->strings[job_mapping(j, *from)->filename];
	char *path = strndup((const char *)name->data, name->len);
	size_t done = j->done;
	int err;

	if (!path)
		return -ENOMEM;
	j->path = path;
	tell_file(path);
	err = isolated(j, from, n);
	j->done = done + n;
	tell_progress(path, j->done, j->count);
	j->path = NULL;
	free(path);
	return err;
}
