/*
 * encode.c - see encode.h. Packing by protobuf-c; of its library only the two
 * functions that neither allocate nor free are used.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "profile.pb-c.h"

#include "encode.h"

/* protobuf-c's structs have pointers to mutable data everywhere, although
 * packing only reads. */
static void *unconst(const void *p)
{
	return (void *)(uintptr_t)p;
}

/* A Profile with one field set serializes to exactly that framed field. */
static int put(struct encoder *e, const Pprof__Profile *part)
{
	size_t len;

	if (e->error)
		return e->error;
	len = protobuf_c_message_get_packed_size(&part->base);
	if (len > e->size) {
		e->error = -EMSGSIZE;
		return e->error;
	}
	(void)protobuf_c_message_pack(&part->base, e->buf);
	e->error = e->sink(e->arg, e->buf, len);
	return e->error;
}

int encode_header(struct encoder *e, const struct encode_header *h)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__ValueType period = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType columns[ENCODE_COLUMNS];
	Pprof__ValueType *list[ENCODE_COLUMNS];

	for (unsigned i = 0; i < h->column_count; i++) {
		pprof__value_type__init(&columns[i]);
		columns[i].type = h->columns[i].type;
		columns[i].unit = h->columns[i].unit;
		list[i] = &columns[i];
	}
	period.type = h->period_type.type;
	period.unit = h->period_type.unit;
	part.n_sample_type = h->column_count;
	part.sample_type = list;
	part.period_type = &period;
	part.period = h->period;
	part.time_nanos = h->time_ns;
	part.duration_nanos = h->duration_ns;
	part.default_sample_type = h->default_column;
	part.n_comment = h->comment_count;
	part.comment = unconst(h->comments);
	return put(e, &part);
}

int encode_sample(struct encoder *e, const struct encode_sample *s)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT;
	Pprof__Sample *samples = &sample;
	Pprof__Label labels[ENCODE_LABELS];
	Pprof__Label *list[ENCODE_LABELS];

	for (size_t i = 0; i < s->label_count; i++) {
		pprof__label__init(&labels[i]);
		labels[i].key = s->labels[i].key;
		labels[i].str = s->labels[i].str;
		labels[i].num = s->labels[i].num;
		list[i] = &labels[i];
	}
	sample.n_location_id = s->location_count;
	sample.location_id = unconst(s->locations);
	sample.n_value = s->value_count;
	sample.value = unconst(s->values);
	sample.n_label = s->label_count;
	sample.label = list;
	part.n_sample = 1;
	part.sample = &samples;
	return put(e, &part);
}

int encode_mapping(struct encoder *e, const struct encode_mapping *m)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Mapping mapping = PPROF__MAPPING__INIT;
	Pprof__Mapping *mappings = &mapping;

	mapping.id = m->id;
	mapping.memory_start = m->start;
	mapping.memory_limit = m->limit;
	mapping.file_offset = m->file_offset;
	mapping.filename = m->path;
	mapping.build_id = m->build_id;
	mapping.has_functions = m->has_functions;
	part.n_mapping = 1;
	part.mapping = &mappings;
	return put(e, &part);
}

int encode_location(struct encoder *e, uint64_t id, uint64_t mapping,
	uint64_t address, uint64_t function)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Location location = PPROF__LOCATION__INIT;
	Pprof__Location *locations = &location;
	Pprof__Line line = PPROF__LINE__INIT;
	Pprof__Line *lines = &line;

	line.function_id = function;
	location.id = id;
	location.mapping_id = mapping;
	location.address = address;
	location.n_line = function != 0;
	location.line = &lines;
	part.n_location = 1;
	part.location = &locations;
	return put(e, &part);
}

int encode_function(
	struct encoder *e, uint64_t id, int64_t name, int64_t system_name)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Function function = PPROF__FUNCTION__INIT;
	Pprof__Function *functions = &function;

	function.id = id;
	function.name = name;
	function.system_name = system_name;
	part.n_function = 1;
	part.function = &functions;
	return put(e, &part);
}

int encode_string(struct encoder *e, const char *s)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	char *strings = unconst(s);

	part.n_string_table = 1;
	part.string_table = &strings;
	return put(e, &part);
}
