/*
 * pprof_write.c - struct pprof to bytes, and what may be added to it.
 *
 * What was not changed is written as it was read, unknown fields included. Of a
 * location with new lines, or a mapping with new flags, only those fields are
 * made anew.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>

#include "list.h"
#include "pprof.h"

struct writer {
	const struct pprof *p;
	pprof_sink_fn *sink;
	void *arg;
	struct wire_out message, part;
	uint8_t *used; /* by function: some location has it */
	int err;
};

uint32_t pprof_add_string(struct pprof *p, struct slice text)
{
	if (!LIST_ADD(p->strings, p->string_count, p->string_room))
		return 0;
	p->strings[p->string_count - 1] = text;
	return (uint32_t)(p->string_count - 1);
}

bool pprof_add_comment(struct pprof *p, uint32_t string)
{
	if (!LIST_ADD(p->comments, p->comment_count, p->comment_room))
		return false;
	p->comments[p->comment_count - 1] = string;
	return true;
}

bool pprof_add_line(struct pprof *p, uint32_t function, int64_t line)
{
	if (!LIST_ADD(p->lines, p->line_count, p->line_room))
		return false;
	p->lines[p->line_count - 1] = (struct pprof_line){ .function = function,
		.line = line };
	return true;
}

static uint64_t largest_id(const struct pprof *p)
{
	uint64_t id = 0;

	for (size_t i = 0; i < p->function_count; i++)
		id = PP_MAX(id, p->functions[i].id);
	return id;
}

long pprof_add_function(struct pprof *p, const struct pprof_function *f)
{
	if (p->function_count == p->function_read)
		p->last_function_id = largest_id(p);
	if (p->last_function_id == UINT64_MAX)
		return -EOVERFLOW;
	if (!LIST_ADD(p->functions, p->function_count, p->function_room))
		return -ENOMEM;
	p->functions[p->function_count - 1] = *f;
	p->functions[p->function_count - 1].id = ++p->last_function_id;
	return (long)p->function_count - 1;
}

static void emit(struct writer *w, const void *data, size_t len)
{
	if (!w->err)
		w->err = w->sink(w->arg, data, len);
}

/* Hand over w->message as field `number` of the profile. */
static void emit_message(struct writer *w, uint32_t number)
{
	struct slice body = { w->message.data, w->message.len };

	w->part.len = 0;
	wire_put_bytes(&w->part, number, body);
	if (w->part.failed || w->message.failed)
		w->err = w->err ? w->err : -ENOMEM;
	else
		emit(w, w->part.data, w->part.len);
	w->message.len = 0;
}

#define OWN_FIELD 1u /* no field has number 0 */

static bool is_left_out(uint32_t number, uint32_t without)
{
	if (number == PPROF_MAPPING_READ)
		return without & OWN_FIELD;
	return number < 32 && without & 1u << number;
}

/* The fields of `raw` but those whose bit is set in `without`. */
static void copy_fields(struct writer *w, struct slice raw, uint32_t without)
{
	struct wire in = wire_open(raw);
	struct wire_field f;

	while (wire_next(&in, &f)) {
		if (!is_left_out(f.number, without))
			wire_put_raw(&w->message, f.whole);
	}
}

static void write_mapping(struct writer *w, const struct pprof_mapping *m)
{
	struct wire_out *o = &w->message;

	copy_fields(w, m->raw, m->changed ? 0x79c | OWN_FIELD : 0);
	if (m->changed) {
		wire_put_uint(o, 2, m->start);
		wire_put_uint(o, 3, m->limit);
		wire_put_uint(o, 4, m->offset);
		wire_put_uint(o, 7, m->has_functions);
		wire_put_uint(o, 8, m->has_filenames);
		wire_put_uint(o, 9, m->has_lines);
		wire_put_uint(o, 10, m->has_inlines);
		wire_put_uint(o, PPROF_MAPPING_READ, m->read);
	}
	emit_message(w, PPROF_MAPPING);
}

static void put_line(struct writer *w, const struct pprof_line *line)
{
	struct wire_out *o = &w->part;

	o->len = 0;
	wire_put_uint(o, 1, w->p->functions[line->function].id);
	wire_put_uint(o, 2, (uint64_t)line->line);
	wire_put_bytes(&w->message, 4, (struct slice){ o->data, o->len });
}

static void write_location(struct writer *w, const struct pprof_location *l)
{
	copy_fields(
		w, l->raw, (l->moved ? 1u << 3 : 0) | (l->named ? 1u << 4 : 0));
	if (l->moved)
		wire_put_uint(&w->message, 3, l->address);
	for (uint32_t i = 0; i < l->line_count; i++) {
		const struct pprof_line *line = &w->p->lines[l->first_line + i];

		w->used[line->function] = 1;
		if (l->named)
			put_line(w, line);
	}
	emit_message(w, PPROF_LOCATION);
}

static void write_function(struct writer *w, const struct pprof_function *f)
{
	struct wire_out *o = &w->message;

	copy_fields(w, f->raw, f->changed ? 0x3e : 0);
	if (f->changed) {
		wire_put_uint(o, 1, f->id);
		wire_put_uint(o, 2, f->name);
		wire_put_uint(o, 3, f->system_name);
		wire_put_uint(o, 4, f->filename);
		wire_put_uint(o, 5, (uint64_t)f->start_line);
	}
	emit_message(w, PPROF_FUNCTION);
}

/* All that is not read: samples, header, fields of later versions. */
static void copy_others(struct writer *w)
{
	struct wire in = wire_open(w->p->input);
	struct wire_field f;

	while (!w->err && wire_next(&in, &f)) {
		if (f.number < PPROF_MAPPING || f.number > PPROF_STRING)
			emit(w, f.whole.data, f.whole.len);
	}
}

static void write_comments(struct writer *w)
{
	for (size_t i = 0; i < w->p->comment_count && !w->err; i++) {
		wire_put_uint(&w->message, PPROF_COMMENT, w->p->comments[i]);
		if (w->message.failed)
			w->err = -ENOMEM;
		emit(w, w->message.data, w->message.len);
		w->message.len = 0;
	}
}

static void write_tables(struct writer *w)
{
	const struct pprof *p = w->p;

	for (size_t i = 0; i < p->mapping_count && !w->err; i++)
		write_mapping(w, &p->mappings[i]);
	for (size_t i = 0; i < p->location_count && !w->err; i++)
		write_location(w, &p->locations[i]);
	for (size_t i = 0; i < p->function_count && !w->err; i++) {
		if (w->used[i])
			write_function(w, &p->functions[i]);
	}
	for (size_t i = 0; i < p->string_count && !w->err; i++) {
		wire_put_raw(&w->message, p->strings[i]);
		emit_message(w, PPROF_STRING);
	}
}

int pprof_write(const struct pprof *p, pprof_sink_fn *sink, void *arg)
{
	struct writer w = { .p = p, .sink = sink, .arg = arg };

	w.used = calloc(p->function_count + 1, 1);
	if (!w.used)
		return -ENOMEM;
	copy_others(&w);
	write_comments(&w);
	write_tables(&w);
	wire_out_free(&w.message);
	wire_out_free(&w.part);
	free(w.used);
	return w.err;
}
