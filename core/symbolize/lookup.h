/*
 * lookup.h - from addresses to functions, files and lines by DWARF.
 *
 * Only units that contain an address are read beyond their first entry.
 * Context: PP_NORMAL.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <elfutils/libdw.h>

#include "pp.h"

struct lookup_place {
	uint64_t address; /* as in the file */
	uint32_t user;	  /* the caller's */
	bool has_unit;
	Dwarf_Off unit; /* its unit's first entry, once known */
	uint64_t unit_size;
};

/* One function of an inline chain, and where in it. */
struct lookup_frame {
	Dwarf_Die function; /* addr NULL: not known */
	const char *file;   /* NULL: not known; valid during the visit */
	const char *entry;  /* the same as DWARF's tables have it */
	int64_t line;	    /* 0: the compiler names none */
};

#define LOOKUP_DEPTH 256u /* frames of one address */

struct lookup_visitor {
	/* Innermost first; n >= 1. Anything but 0 ends the lookup. */
	int (*visit)(void *arg, uint32_t user,
		const struct lookup_frame *frames, size_t n);
	/* libdw never forgets a line it has read. When they are too many, this
	 * is to close the file and open it anew; NULL ends the lookup. */
	Dwarf *(*renew)(void *arg);
	/* Set if part of a unit is in another file that is not there. */
	bool *incomplete;
	void *arg;
};

/* Visits those of the places, sorted by address, that something is known of.
 * Reorders them. 0, -ENOMEM, or what the visitor returned. */
int lookup(Dwarf *dw, struct lookup_place *places, size_t n,
	const struct lookup_visitor *v);

/* The first of n places, sorted by address, at or after this one. */
size_t lookup_first_at(
	const struct lookup_place *places, size_t n, uint64_t address);

#endif
