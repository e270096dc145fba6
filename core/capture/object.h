/*
 * object.h - reading the headers of a loaded ELF object in memory.
 * Context: PP_ANY.
 */
#ifndef OBJECT_H
#define OBJECT_H

#include "pp.h"

#include "find_module.h"

/* Program headers of the ELF image at o->lo, if there is one whose headers lie
 * in its first page: fills phdr and phnum. */
bool object_read_header(struct object *o) PP_ANY;

/* The mapping's bounds from phdr and bias. */
void object_bounds(struct object *o) PP_ANY;

/* The first program header of this type, or NULL. */
const ElfW(Phdr) * object_phdr(const struct object *o, uint32_t type) PP_ANY;

/* Widen [*lo, *hi), which may be empty at first (*lo = *hi = an address), to
 * what is certainly mapped and readable around it: whole segments that touch,
 * holes between segments left out. It stays empty if no segment has it. */
void object_readable(const struct object *o, uint64_t *lo, uint64_t *hi) PP_ANY;

/* The GNU build id in the notes; 0 bytes if there is none. */
unsigned object_build_id(const struct object *o, const uint8_t **ret) PP_ANY;

#endif
