/*
 * module.h - one file of a profile, open with its debug information.
 *
 * Owner: module_close(). Context: PP_NORMAL.
 */
#ifndef MODULE_H
#define MODULE_H

#include <elfutils/libdw.h>

#include "pp.h"

#include "find.h"
#include "object.h"

struct module {
	struct object main, debug, alternate; /* each may be missing */
	Dwarf *dwarf, *alternate_dwarf;
	bool refused;	 /* what was there is of another build */
	bool incomplete; /* part of the debug information was not there */
};

/* Returns whether there is anything to read. */
bool module_open(struct module *m, const struct find_where *where,
	const struct find_what *what);
void module_close(struct module *m);
/* Close what libdw knows and open it again; false if that fails. */
bool module_renew(struct module *m);

/* Where a mapping lies in the file: *ret_segment as in its header, and what is
 * to be taken off a run-time address. false if it matches no segment. */
bool module_segment(const struct module *m, uint64_t start, uint64_t offset,
	GElf_Phdr *ret_segment, uint64_t *ret_bias);

#endif
