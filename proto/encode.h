/*
 * encode.h - a pprof profile written piece by piece, so that memory does not
 * grow with it.
 *
 * Each function packs one message and hands the bytes, framed as a field of
 * Profile, to the sink. The pieces may come in any order: protobuf defines the
 * concatenation of serialized messages as their merge. Arguments named after
 * strings are indexes into the string table, where 0 is "" and means absent.
 *
 * All return 0, -EMSGSIZE when one message exceeds the buffer, or what the
 * sink returned. After an error nothing more is written and the first error is
 * returned again. Context: PP_ANY.
 */
#ifndef ENCODE_H
#define ENCODE_H

#include "pp.h"

typedef int encode_sink_fn(void *arg, const void *data, size_t len);

struct encoder {
	encode_sink_fn *sink;
	void *arg;
	uint8_t *buf; /* the largest message must fit */
	size_t size;
	int error;
};

/* Room for a sample of n locations with four values and labels; more than any
 * other message but a string needs. */
#define ENCODE_SAMPLE_BYTES(n) ((n)*10 + 1536)

struct encode_value_type {
	int64_t type, unit;
};

struct encode_header {
	const struct encode_value_type *columns;
	unsigned column_count; /* at most ENCODE_COLUMNS */
	struct encode_value_type period_type;
	int64_t period;
	int64_t time_ns, duration_ns;
	int64_t default_column; /* 0 = the last one */
	const int64_t *comments;
	unsigned comment_count;
};
#define ENCODE_COLUMNS 4u

/* A numeric label when str is 0; its unit is the key's (contract 1.2). */
struct encode_label {
	int64_t key, str, num;
};

struct encode_sample {
	const uint64_t *locations; /* leaf first */
	size_t location_count;
	const int64_t *values;
	size_t value_count;
	const struct encode_label *labels;
	size_t label_count; /* at most ENCODE_LABELS */
};
#define ENCODE_LABELS 20u

struct encode_mapping {
	uint64_t id, start, limit, file_offset;
	int64_t path, build_id;
	bool has_functions;
};

int encode_header(struct encoder *e, const struct encode_header *h) PP_ANY;
int encode_sample(struct encoder *e, const struct encode_sample *s) PP_ANY;
int encode_mapping(struct encoder *e, const struct encode_mapping *m) PP_ANY;
/* function 0 = no name known: the location has no line. */
int encode_location(struct encoder *e, uint64_t id, uint64_t mapping,
	uint64_t address, uint64_t function) PP_ANY;
int encode_function(struct encoder *e, uint64_t id, int64_t name,
	int64_t system_name) PP_ANY;
/* The strings must come in the order of their indexes; the first is "". */
int encode_string(struct encoder *e, const char *s) PP_ANY;

#endif
