/*
 * own_modules.h - objects by address without help from the loader: a table made
 * from its public list (struct r_debug), for systems without _dl_find_object.
 *
 * The list is read without the loader's lock, while others may change it: each
 * word through a probe, each object checked against its ELF header before it
 * is believed. Context: PP_ANY unless said.
 */
#ifndef OWN_MODULES_H
#define OWN_MODULES_H

#include "pp.h"

#include "find_module.h"

/* Find the loader's list. */
void own_modules_start(void) PP_NORMAL;
void own_modules_invalidate(void) PP_ANY;
/* In a forked child: whoever was making a table is not there. */
void own_modules_reset(void) PP_ANY;
bool own_modules_find(uint64_t pc, struct object *ret) PP_ANY;

/* The program's headers, from the auxiliary vector; also used otherwise. */
extern const ElfW(Phdr) * own_modules_phdr
	__attribute__((visibility("hidden")));
extern unsigned own_modules_phnum __attribute__((visibility("hidden")));

#endif
