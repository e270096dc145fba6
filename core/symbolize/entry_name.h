/*
 * entry_name.h - what the DWARF entry of a function calls it.
 *
 * Each entry is looked at once: a profile has the same inlined functions over
 * and over.
 *
 * Owner: entry_names_free(), before the Dwarf is closed. Context: PP_NORMAL.
 */
#ifndef ENTRY_NAME_H
#define ENTRY_NAME_H

#include <elfutils/libdw.h>

#include "pp.h"

#include "arena.h"
#include "ids.h"

struct entry_name {
	const char *linkage; /* the linker's name; NULL if there is none */
	const char *name;    /* the source's, with namespaces and classes if it
				is all there is; may be NULL */
	const char *file;    /* where it is defined */
	int line;
};

struct entry_names {
	struct ids known; /* by place of the entry in memory */
	struct entry_name *list;
	size_t count, room;
	struct arena texts;
};

void entry_names_init(struct entry_names *n);
void entry_names_free(struct entry_names *n);

/* Of a function or an inlined one; NULL without memory. Valid until the next
 * call, its texts until entry_names_free(). */
const struct entry_name *entry_names_get(
	struct entry_names *n, const Dwarf_Die *function);

#endif
