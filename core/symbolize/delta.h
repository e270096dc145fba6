/*
 * delta.h - what a worker (isolate.h) added to its copy of a profile, as bytes,
 * and into the profile itself.
 *
 * What comes from a worker was made by a reader of hostile files: indexes are
 * checked. Context: PP_NORMAL.
 */
#ifndef DELTA_H
#define DELTA_H

#include "pp.h"

#include "functions.h"
#include "pprof.h"
#include "wire.h"

/* Fields from here on are the caller's. */
#define DELTA_OTHERS 16u

/* How much there was of each before. */
struct delta_since {
	size_t strings, functions, lines;
};

struct delta_since delta_begin(const struct pprof *p);
/* All new strings, functions and lines. */
void delta_put_tables(struct wire_out *to, const struct pprof *p,
	const struct delta_since *since);
/* A location that has new lines; others are left out. */
void delta_put_location(struct wire_out *to, const struct pprof *p,
	const struct delta_since *since, uint32_t location);
/* What is said of a mapping (has_...). */
void delta_put_mapping(
	struct wire_out *to, const struct pprof *p, uint32_t mapping);

/* One reading; indexes in the bytes count from where `since` was. */
struct delta {
	struct functions *f;
	struct delta_since since;
	uint32_t *strings, *functions; /* of the new ones: what they are here */
	size_t string_count, string_room, function_count, function_room;
	size_t first_line;
};

void delta_open(struct delta *d, struct functions *f);
void delta_close(struct delta *d);
/* The next field of the bytes. 0, -EBADMSG, -ENOMEM. */
int delta_take(struct delta *d, const struct wire_field *field);

#endif
