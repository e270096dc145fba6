/*
 * pprof.h - a pprof profile in memory, read so that all we do not change can
 * be written as it was.
 *
 * Samples, header and fields nobody knows stay bytes of the input and are
 * copied; mappings, locations, functions and strings are read. Whatever the
 * input, indexes in the structs are valid: strings and functions that do not
 * exist make the profile bad.
 *
 * Owner: pprof_free(); the input has to outlive it. Context: PP_NORMAL.
 */
#ifndef PPROF_H
#define PPROF_H

#include "pp.h"

#include "wire.h"

/* Numbers of the fields of Profile that are read (profile.proto). */
enum pprof_field {
	PPROF_SAMPLE = 2,
	PPROF_MAPPING = 3,
	PPROF_LOCATION = 4,
	PPROF_FUNCTION = 5,
	PPROF_STRING = 6,
	PPROF_TIME = 9,
	PPROF_COMMENT = 13,
};

/* A field of our own in a mapping: see pprof_mapping.read. */
#define PPROF_MAPPING_READ 4711u

struct pprof_mapping {
	uint64_t id, start, limit, offset;
	uint32_t filename, build_id; /* strings */
	bool has_functions, has_filenames, has_lines, has_inlines;
	/* All its locations were looked up in complete debug information, by
	 * these rules (cache.h); 0 = that is not known. */
	uint64_t read;
	bool changed; /* else it is written as `raw` */
	struct slice raw;
};

struct pprof_location {
	uint64_t id, address;
	uint32_t mapping;		 /* index + 1; 0 = none */
	uint32_t first_line, line_count; /* in lines; innermost first */
	bool moved;			 /* address changed */
	bool named;			 /* lines changed */
	struct slice raw;
};

struct pprof_line {
	int64_t line;
	uint32_t function; /* index */
};

struct pprof_function {
	uint64_t id;
	int64_t start_line;
	uint32_t name, system_name, filename; /* strings */
	bool changed;
	struct slice raw;
};

struct pprof {
	struct slice input;
	int64_t time_ns;
	struct pprof_mapping *mappings;
	struct pprof_location *locations;
	struct pprof_line *lines;
	struct pprof_function *functions;
	struct slice *strings;
	uint32_t *comments; /* added ones; strings */
	size_t comment_count, comment_room;
	size_t mapping_count, location_count, line_count, function_count,
		string_count;
	size_t function_read; /* of them from the input */
	uint64_t last_function_id;
	size_t mapping_room, location_room, line_room, function_room,
		string_room;
};

/*
 * 0 with *ret_profile; -ENODATA for no bytes at all; -EBADMSG when this is no
 * pprof profile or not a whole one; -ENOMEM. The bytes are not compressed.
 */
int pprof_read(const uint8_t *data, size_t len, struct pprof **ret_profile);
void pprof_free(struct pprof *p); /* NULL is fine */

/* A new string, whose bytes have to outlive the profile; 0 without memory. */
uint32_t pprof_add_string(struct pprof *p, struct slice text);
/* Of the whole profile; false without memory. */
bool pprof_add_comment(struct pprof *p, uint32_t string);
/* Append a line; false without memory. The caller sets who has it. */
bool pprof_add_line(struct pprof *p, uint32_t function, int64_t line);
/* A function with a new id; its index, or -ENOMEM,
 * -EOVERFLOW when the input's ids leave no room. */
long pprof_add_function(struct pprof *p, const struct pprof_function *f);

typedef int pprof_sink_fn(void *arg, const void *data, size_t len);
/* The whole profile, uncompressed, in pieces. 0, -ENOMEM, or the sink's. */
int pprof_write(const struct pprof *p, pprof_sink_fn *sink, void *arg);

#endif
