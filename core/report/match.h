/*
 * match.h - one symbol table against a sorted list of addresses.
 *
 * The table is read in blocks and never held: memory grows with the number of
 * addresses only. Context: PP_ANY.
 */
#ifndef MATCH_H
#define MATCH_H

#include "pp.h"

#include "elf_file.h"
#include "symbols.h"

/*
 * Name those of the n addresses that have no name yet from the table of this
 * section type (SHT_SYMTAB or SHT_DYNSYM) of `e`; `bias` is run-time address
 * minus address in the file. Returns 0, -ENODATA if n is 0, -ENOENT if the file
 * has no such table, or -errno when it cannot be read (some names may have been
 * found then).
 */
int match_table(struct symbols *y, const struct elf *e, uint32_t type,
	uint64_t bias, struct symbol *wanted, uint32_t n) PP_ANY;

#endif
