/*
 * delta.c - see delta.h. The worker's new strings, functions and lines come in
 * the order of their indexes; those of strings and functions may be others
 * here.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>

#include "delta.h"
#include "list.h"

enum {
	STRING = 1,
	FUNCTION,
	LINE,
	LOCATION,
	MAPPING,
};

struct delta_since delta_begin(const struct pprof *p)
{
	return (struct delta_since){ p->string_count, p->function_count,
		p->line_count };
}

/* A message of numbers, field 1 first. */
static void put(struct wire_out *to, uint32_t field, const uint64_t *values,
	uint32_t count)
{
	struct wire_out part = { 0 };

	for (uint32_t i = 0; i < count; i++)
		wire_put_uint(&part, i + 1, values[i]);
	wire_put_bytes(to, field, (struct slice){ part.data, part.len });
	to->failed |= part.failed;
	wire_out_free(&part);
}

void delta_put_tables(struct wire_out *to, const struct pprof *p,
	const struct delta_since *since)
{
	for (size_t i = since->strings; i < p->string_count; i++)
		wire_put_bytes(to, STRING, p->strings[i]);
	for (size_t i = since->functions; i < p->function_count; i++) {
		const struct pprof_function *f = &p->functions[i];

		put(to, FUNCTION,
			(uint64_t[]){ f->name, f->system_name, f->filename,
				(uint64_t)f->start_line },
			4);
	}
	for (size_t i = since->lines; i < p->line_count; i++)
		put(to, LINE,
			(uint64_t[]){ p->lines[i].function,
				(uint64_t)p->lines[i].line },
			2);
}

void delta_put_location(struct wire_out *to, const struct pprof *p,
	const struct delta_since *since, uint32_t location)
{
	const struct pprof_location *l = &p->locations[location];

	if (l->named && l->first_line >= since->lines)
		put(to, LOCATION,
			(uint64_t[]){ location, l->first_line - since->lines,
				l->line_count },
			3);
}

void delta_put_mapping(
	struct wire_out *to, const struct pprof *p, uint32_t mapping)
{
	const struct pprof_mapping *m = &p->mappings[mapping];

	if (m->changed)
		put(to, MAPPING,
			(uint64_t[]){ mapping, m->has_functions,
				m->has_filenames, m->has_lines,
				m->has_inlines },
			5);
}

void delta_open(struct delta *d, struct functions *f)
{
	*d = (struct delta){ .f = f,
		.since = delta_begin(f->p),
		.first_line = f->p->line_count };
}

void delta_close(struct delta *d)
{
	free(d->strings);
	free(d->functions);
	*d = (struct delta){ 0 };
}

#define NUMBERS 5u

static bool read_numbers(struct slice message, uint64_t ret[NUMBERS + 1])
{
	struct wire w = wire_open(message);
	struct wire_field f;

	for (unsigned i = 0; i <= NUMBERS; i++)
		ret[i] = 0;
	while (wire_next(&w, &f)) {
		if (f.type != WIRE_VARINT || f.number > NUMBERS)
			return false;
		ret[f.number] = f.value;
	}
	return !w.bad;
}

/* From a number in the worker's table to that in ours; *bad if it has none. */
static uint32_t mapped(
	uint64_t i, size_t old, const uint32_t *new, size_t count, bool *bad)
{
	if (i < old)
		return (uint32_t)i;
	if (i - old < count)
		return new[i - old];
	*bad = true;
	return 0;
}

static uint32_t string_of(const struct delta *d, uint64_t i, bool *bad)
{
	return mapped(i, d->since.strings, d->strings, d->string_count, bad);
}

static int take_string(struct delta *d, struct slice text)
{
	uint32_t i = functions_string(d->f, (const char *)text.data, text.len);

	if (text.len && !i)
		return -ENOMEM;
	if (!LIST_ADD(d->strings, d->string_count, d->string_room))
		return -ENOMEM;
	d->strings[d->string_count - 1] = i;
	return 0;
}

static int take_function(struct delta *d, const uint64_t *n)
{
	bool bad = false;
	struct pprof_function want = { .changed = true,
		.name = string_of(d, n[1], &bad),
		.system_name = string_of(d, n[2], &bad),
		.filename = string_of(d, n[3], &bad),
		.start_line = (int64_t)n[4] };
	long made = bad ? -EBADMSG : functions_intern(d->f, &want);

	if (made < 0)
		return (int)made;
	if (!LIST_ADD(d->functions, d->function_count, d->function_room))
		return -ENOMEM;
	d->functions[d->function_count - 1] = (uint32_t)made;
	return 0;
}

static int take_line(struct delta *d, const uint64_t *n)
{
	bool bad = false;
	uint32_t function = mapped(n[1], d->since.functions, d->functions,
		d->function_count, &bad);

	if (bad)
		return -EBADMSG;
	return pprof_add_line(d->f->p, function, (int64_t)n[2]) ? 0 : -ENOMEM;
}

static int take_location(struct delta *d, const uint64_t *n)
{
	struct pprof *p = d->f->p;
	size_t lines = p->line_count - d->first_line;

	if (n[1] >= p->location_count || n[2] > lines || n[3] > lines - n[2])
		return -EBADMSG;
	p->locations[n[1]].first_line = (uint32_t)(d->first_line + n[2]);
	p->locations[n[1]].line_count = (uint32_t)n[3];
	p->locations[n[1]].named = true;
	return 0;
}

static int take_mapping(struct delta *d, const uint64_t *n)
{
	struct pprof_mapping *m;

	if (n[1] >= d->f->p->mapping_count)
		return -EBADMSG;
	m = &d->f->p->mappings[n[1]];
	m->changed = true;
	m->has_functions = n[2];
	m->has_filenames = n[3];
	m->has_lines = n[4];
	m->has_inlines = n[5];
	return 0;
}

int delta_take(struct delta *d, const struct wire_field *field)
{
	uint64_t n[NUMBERS + 1];

	if (field->type != WIRE_BYTES)
		return -EBADMSG;
	if (field->number == STRING)
		return take_string(d, field->bytes);
	if (!read_numbers(field->bytes, n))
		return -EBADMSG;
	switch (field->number) {
	case FUNCTION:
		return take_function(d, n);
	case LINE:
		return take_line(d, n);
	case LOCATION:
		return take_location(d, n);
	case MAPPING:
		return take_mapping(d, n);
	default:
		return -EBADMSG;
	}
}
