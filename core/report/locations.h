/*
 * locations.h - the places samples were in: each (module, address) once, with
 * its name, and the mappings they lie in.
 *
 * Fill with locations_add(), then locations_name() once, then locations_mark()
 * while samples are written, then locations_write(). Locations have the ids
 * 1..count in the profile, too.
 *
 * Owner: the arena's. One user at a time. Context: PP_ANY.
 */
#ifndef LOCATIONS_H
#define LOCATIONS_H

#include "pp.h"

#include "arena.h"
#include "frame.h"
#include "session.h"
#include "strings.h"

struct encoder;
struct known_names;

enum location_flags {
	LOCATION_WANTED = 1,	/* a name is to be looked for */
	LOCATION_USED = 2,	/* some sample that is written has it */
	LOCATION_OURS = 4,	/* in libpprofc itself */
	LOCATION_ALLOCATOR = 8, /* malloc and the like, by its name */
};

struct location {
	uint64_t key;  /* module << 48 | address */
	uint32_t name; /* in strings; 0 = none */
	uint32_t flags;
};

struct mapping {
	uint64_t start, size; /* 0, 0: not a module we know */
	uint16_t same_as;     /* the first instance of the same segment */
	bool used, named, changed;
};

struct locations {
	const struct session *session;
	struct arena *arena;
	struct strings *strings;
	struct location *list; /* list[1 .. count] */
	uint32_t count, room;
	uint32_t *slots;
	uint32_t mask;
	struct mapping *mappings; /* by module instance, 0 = unknown code */
	uint32_t mapping_count;
	uint64_t unknown_lo, unknown_hi; /* addresses of module 0 */
	bool synthetic_used;
	bool own_process, embed;
};

/* `embed`: names go into the profile (PPROFC_SYMBOLS=names). */
int locations_init(struct locations *l, const struct session *s,
	struct arena *arena, struct strings *strings, bool own_process,
	bool embed) PP_ANY;

/* The index of the frame's location, made if needed; 0 without memory. */
uint32_t locations_add(struct locations *l, frame_t frame, bool wanted) PP_ANY;

/* Find the names of all wanted locations. 0 or -ENOMEM. */
int locations_name(struct locations *l, struct known_names *names) PP_ANY;

/* Of a location that a sample has. */
void locations_mark(struct locations *l, uint32_t i) PP_ANY;

/* Encode the used locations with their functions, and the mappings, the
 * program's own first. 0 or what the encoder says. */
int locations_write(struct locations *l, struct encoder *e) PP_ANY;

#endif
