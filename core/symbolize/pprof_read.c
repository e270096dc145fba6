/*
 * pprof_read.c - bytes to struct pprof. See pprof.h.
 *
 * What readers of profiles reject is rejected here, too: wrong wire types, ids
 * that are 0 or given twice, lines without a function, a string table that
 * does not start with "".
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"
#include "list.h"
#include "pprof.h"

struct reader {
	struct pprof *p;
	struct ids mappings, locations, functions;
	int err;
};

static void fail(struct reader *r, int err)
{
	if (!r->err)
		r->err = err;
}

static void check_end(struct reader *r, const struct wire *w)
{
	if (w->bad)
		fail(r, -EBADMSG);
}

/* Every field asked about here is a number in the schema. */
static bool is_number(struct reader *r, const struct wire_field *f)
{
	if (f->type != WIRE_VARINT)
		fail(r, -EBADMSG);
	return f->type == WIRE_VARINT;
}

/* A string's index; whether there is such a string is checked at the end. */
static uint32_t string_index(struct reader *r, uint64_t value)
{
	if (value > LIST_MAX)
		fail(r, -EBADMSG);
	return (uint32_t)value;
}

static void set_id(struct reader *r, struct ids *ids, uint64_t id, size_t index)
{
	if (id == 0 || ids_get(ids, id) != IDS_NONE)
		fail(r, -EBADMSG);
	else if (!ids_add(ids, id, (uint32_t)index))
		fail(r, -ENOMEM);
}

static void mapping_field(
	struct reader *r, struct pprof_mapping *m, const struct wire_field *f)
{
	uint64_t v = f->value;

	if (f->number == PPROF_MAPPING_READ && f->type == WIRE_VARINT)
		m->read = v;
	if (f->number > 10 || !is_number(r, f))
		return;
	switch (f->number) {
	case 1:
		m->id = v;
		break;
	case 2:
		m->start = v;
		break;
	case 3:
		m->limit = v;
		break;
	case 4:
		m->offset = v;
		break;
	case 5:
		m->filename = string_index(r, v);
		break;
	case 6:
		m->build_id = string_index(r, v);
		break;
	case 7:
		m->has_functions = v;
		break;
	case 8:
		m->has_filenames = v;
		break;
	case 9:
		m->has_lines = v;
		break;
	default:
		m->has_inlines = v;
		break;
	}
}

static void read_mapping(struct reader *r, struct slice raw)
{
	struct pprof *p = r->p;
	struct pprof_mapping *m = LIST_ADD(
		p->mappings, p->mapping_count, p->mapping_room);
	struct wire w = wire_open(raw);
	struct wire_field f;

	if (!m) {
		fail(r, -ENOMEM);
		return;
	}
	*m = (struct pprof_mapping){ .raw = raw };
	while (wire_next(&w, &f))
		mapping_field(r, m, &f);
	check_end(r, &w);
	set_id(r, &r->mappings, m->id, p->mapping_count - 1);
}

static void function_field(
	struct reader *r, struct pprof_function *fn, const struct wire_field *f)
{
	uint64_t v = f->value;

	if (f->number > 5 || !is_number(r, f))
		return;
	switch (f->number) {
	case 1:
		fn->id = v;
		break;
	case 2:
		fn->name = string_index(r, v);
		break;
	case 3:
		fn->system_name = string_index(r, v);
		break;
	case 4:
		fn->filename = string_index(r, v);
		break;
	default:
		fn->start_line = (int64_t)v;
		break;
	}
}

static void read_function(struct reader *r, struct slice raw)
{
	struct pprof *p = r->p;
	struct pprof_function *fn = LIST_ADD(
		p->functions, p->function_count, p->function_room);
	struct wire w = wire_open(raw);
	struct wire_field f;

	if (!fn) {
		fail(r, -ENOMEM);
		return;
	}
	*fn = (struct pprof_function){ .raw = raw };
	while (wire_next(&w, &f))
		function_field(r, fn, &f);
	check_end(r, &w);
	set_id(r, &r->functions, fn->id, p->function_count - 1);
}

static void read_line(
	struct reader *r, struct pprof_location *l, struct slice raw)
{
	struct wire w = wire_open(raw);
	struct wire_field f;
	uint64_t function = 0, line = 0;
	uint32_t index;

	while (wire_next(&w, &f)) {
		if (f.number > 2 || !is_number(r, &f))
			continue;
		if (f.number == 1)
			function = f.value;
		else
			line = f.value;
	}
	check_end(r, &w);
	index = ids_get(&r->functions, function);
	if (index == IDS_NONE)
		fail(r, -EBADMSG);
	else if (!pprof_add_line(r->p, index, (int64_t)line))
		fail(r, -ENOMEM);
	else
		l->line_count++;
}

static void location_field(
	struct reader *r, struct pprof_location *l, const struct wire_field *f)
{
	if (f->number == 4) {
		if (f->type == WIRE_BYTES)
			read_line(r, l, f->bytes);
		else
			fail(r, -EBADMSG);
		return;
	}
	if (f->number > 5 || !is_number(r, f))
		return;
	if (f->number == 1)
		l->id = f->value;
	else if (f->number == 2) /* one that does not exist means none */
		l->mapping = ids_get(&r->mappings, f->value) + 1;
	else if (f->number == 3)
		l->address = f->value;
}

static void read_location(struct reader *r, struct slice raw)
{
	struct pprof *p = r->p;
	struct pprof_location *l = LIST_ADD(
		p->locations, p->location_count, p->location_room);
	struct wire w = wire_open(raw);
	struct wire_field f;

	if (!l) {
		fail(r, -ENOMEM);
		return;
	}
	*l = (struct pprof_location){ .raw = raw,
		.first_line = (uint32_t)p->line_count };
	while (wire_next(&w, &f))
		location_field(r, l, &f);
	check_end(r, &w);
	set_id(r, &r->locations, l->id, p->location_count - 1);
}

static void read_string(struct reader *r, struct slice text)
{
	struct pprof *p = r->p;

	if (p->string_count == 0 && text.len)
		fail(r, -EBADMSG);
	if (!LIST_ADD(p->strings, p->string_count, p->string_room))
		fail(r, -ENOMEM);
	else
		p->strings[p->string_count - 1] = text;
}

/* A sample is copied as it is; it has to be a message at least. */
static void check_message(struct reader *r, struct slice raw)
{
	struct wire w = wire_open(raw);
	struct wire_field f;

	while (wire_next(&w, &f))
		;
	check_end(r, &w);
}

/* Fields that are messages or strings in the schema. */
static bool is_bytes(uint32_t number)
{
	return (number >= 1 && number <= 6) || number == 11;
}

static bool is_list(uint32_t number)
{
	return number == 13; /* comments: packed, or one by one */
}

static void check_type(struct reader *r, const struct wire_field *f)
{
	if (f->number > 15)
		return;
	if (is_bytes(f->number) ? f->type != WIRE_BYTES
				: f->type != WIRE_VARINT &&
					  !(is_list(f->number) &&
						  f->type == WIRE_BYTES))
		fail(r, -EBADMSG);
}

/* Everything that does not refer to ids. */
static void read_tables(struct reader *r)
{
	struct wire w = wire_open(r->p->input);
	struct wire_field f;

	while (!r->err && wire_next(&w, &f)) {
		check_type(r, &f);
		if (r->err)
			break;
		if (f.number == PPROF_MAPPING)
			read_mapping(r, f.bytes);
		else if (f.number == PPROF_FUNCTION)
			read_function(r, f.bytes);
		else if (f.number == PPROF_STRING)
			read_string(r, f.bytes);
		else if (f.number == PPROF_TIME)
			r->p->time_ns = (int64_t)f.value;
		else if (is_bytes(f.number))
			check_message(r, f.bytes);
	}
	check_end(r, &w);
	r->p->function_read = r->p->function_count;
}

static void read_locations(struct reader *r)
{
	struct wire w = wire_open(r->p->input);
	struct wire_field f;

	while (!r->err && wire_next(&w, &f)) {
		if (f.number == PPROF_LOCATION)
			read_location(r, f.bytes);
	}
}

static void check_string(struct reader *r, uint32_t index)
{
	if (index >= r->p->string_count)
		fail(r, -EBADMSG);
}

static void check_strings(struct reader *r)
{
	for (size_t i = 0; i < r->p->mapping_count; i++) {
		check_string(r, r->p->mappings[i].filename);
		check_string(r, r->p->mappings[i].build_id);
	}
	for (size_t i = 0; i < r->p->function_count; i++) {
		check_string(r, r->p->functions[i].name);
		check_string(r, r->p->functions[i].system_name);
		check_string(r, r->p->functions[i].filename);
	}
	check_string(r, 0); /* without strings it is no profile */
}

int pprof_read(const uint8_t *data, size_t len, struct pprof **ret_profile)
{
	struct reader r = { .p = calloc(1, sizeof(*r.p)) };

	if (!r.p)
		return -ENOMEM;
	r.p->input = (struct slice){ data, len };
	if (!len)
		fail(&r, -ENODATA);
	if (!r.err)
		read_tables(&r);
	if (!r.err)
		read_locations(&r);
	if (!r.err)
		check_strings(&r);
	ids_free(&r.mappings);
	ids_free(&r.locations);
	ids_free(&r.functions);
	if (r.err)
		pprof_free(r.p);
	else
		*ret_profile = r.p;
	return r.err;
}

void pprof_free(struct pprof *p)
{
	if (!p)
		return;
	free(p->mappings);
	free(p->locations);
	free(p->lines);
	free(p->functions);
	free(p->strings);
	free(p->comments);
	free(p);
}
