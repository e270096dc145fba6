/*
 * strings.h - the string table of one profile: each string once.
 *
 * Names come from symbol tables, thread names and perf maps, so they are
 * cleaned on the way in: bytes that are not UTF-8 and control characters
 * become '?' (JSON and SVG made from the profile break otherwise).
 *
 * Owner: the arena's. One user at a time. Context: PP_ANY.
 */
#ifndef STRINGS_H
#define STRINGS_H

#include "pp.h"

#include "arena.h"

struct encoder;

#define STRING_MAX_BYTES 32768u /* longer ones are cut */

struct string_entry {
	const char *text;
	uint32_t hash;
	uint32_t len;
	bool function_written; /* the Function named so has been encoded */
	bool human;	       /* no linker's name: not to be demangled */
};

struct strings {
	struct arena *arena;
	struct string_entry *entries;
	uint32_t count, room;
	uint32_t *slots; /* hash table of indexes; 0 = free */
	uint32_t mask;
	bool failed; /* memory was refused at some point */
};

/* 0 or -ENOMEM. Index 0 is "" from the start. */
int strings_init(struct strings *t, struct arena *arena) PP_ANY;

/* The index of the text; 0 for an empty one and when memory is refused (then
 * t->failed stays set, so that callers may check once at the end). */
uint32_t strings_add(struct strings *t, const char *text, size_t len) PP_ANY;
uint32_t strings_add_z(struct strings *t, const char *text) PP_ANY;
uint32_t strings_add_format(struct strings *t, const char *format, ...) PP_ANY
	PP_PRINTF(2, 3); /* at most 511 bytes */

/* Encode the whole table, in order. 0 or what the encoder says. */
int strings_write(const struct strings *t, struct encoder *e) PP_ANY;

#endif
