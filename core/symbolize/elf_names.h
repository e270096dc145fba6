/*
 * elf_names.h - names from symbol tables, for code without DWARF: .symtab,
 * .dynsym, those of the debug file, and what .gnu_debugdata has compressed.
 *
 * Owner: elf_names_free(). Context: PP_NORMAL.
 */
#ifndef ELF_NAMES_H
#define ELF_NAMES_H

#include <elfutils/libdwfl.h>

#include "pp.h"

#include "module.h"

struct elf_name {
	uint64_t start, end;
	const char *name;
	unsigned rank; /* of several for the same code the lowest is taken */
};

struct elf_names {
	Dwfl *dwfl;	       /* keeps the texts */
	struct elf_name *list; /* by start, then by rank */
	size_t count, room;
	uint64_t longest;
};

/* Reads the tables; none if that fails. */
void elf_names_open(struct elf_names *n, const struct module *m);
void elf_names_free(struct elf_names *n);

/* The name of the function that contains the address; NULL if none does. */
const char *elf_names_find(const struct elf_names *n, uint64_t address);

#endif
