/*
 * assign.h - what was found about an address into the profile's location.
 *
 * Owner: assign_close(). Context: PP_NORMAL.
 */
#ifndef ASSIGN_H
#define ASSIGN_H

#include "pp.h"

#include "elf_names.h"
#include "entry_name.h"
#include "functions.h"
#include "lookup.h"

/* For the locations of one file. */
struct assign {
	struct functions *f;
	const struct module *m;
	struct entry_names names;
	struct elf_names symbols; /* read when first needed */
	bool symbols_read;
};

void assign_open(struct assign *a, struct functions *f, const struct module *m);
void assign_close(struct assign *a);
/* Before the Dwarf is closed and opened anew. */
void assign_forget(struct assign *a);

/* A location gets the chain, innermost first; `address` is the file's. 0 or
 * -ENOMEM. */
int assign_lines(struct assign *a, uint32_t location, uint64_t address,
	const struct lookup_frame *frames, size_t n);

/* One that has no name gets that of the symbol it is in. */
int assign_symbol(struct assign *a, uint32_t location, uint64_t address);

bool assign_has_line(const struct pprof *p, const struct pprof_location *l);

#endif
