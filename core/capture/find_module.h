/*
 * find_module.h - which object, and which executable segment of it, a program
 * counter lies in.
 *
 * glibc's _dl_find_object answers without a lock (2.35 and newer). Where it is
 * absent, a table of our own is made from the loader's list of objects, which
 * is read through probes (own_modules.c). Context: PP_ANY unless said.
 */
#ifndef FIND_MODULE_H
#define FIND_MODULE_H

#include <elf.h>
#include <link.h>

#include "pp.h"

#include "cfi.h"
#include "modules.h"
#include "session.h"

/* A loaded object. Pointers are the loader's and live as long as the object. */
struct object {
	uint64_t lo, hi; /* its mapping, whole pages */
	uint64_t bias;
	const ElfW(Phdr) * phdr;
	unsigned phnum;
	enum module_kind kind;
	bool is_main;
	const char *name; /* as loaded, may be relative; "" for the program */
};

/* The executable segment in which the program counter was found. */
struct segment {
	struct object object;
	uint64_t start, limit; /* exact: bias + p_vaddr, + p_memsz */
	uint64_t file_offset;
};

/* Look up what the loader knows only in normal context. From the constructor.
 * PPROFC_TEST_OWN_MODULES=1 in the environment leaves _dl_find_object alone,
 * so that a test can run what older systems run. */
void find_module_start(void) PP_NORMAL;

/* Choose again, for unit tests. */
void find_module_use_own(bool own) PP_NORMAL;

/* Objects may have come or gone. */
void find_module_invalidate(void) PP_ANY;

/* True if pc lies in an executable segment of a loaded object. `doubtful`: pc
 * is a guess and its object may be on the way out, so look before reading. */
bool find_segment(uint64_t pc, bool doubtful, struct segment *ret) PP_ANY;

/* Where this object's unwind information is. */
void find_cfi_source(const struct object *o, struct cfi_source *ret) PP_ANY;

/* The segment's instance in the session, made if needed; 0 = session full. */
unsigned find_instance(struct session *s, const struct segment *seg,
	uint32_t generation) PP_ANY;

/* The instance of the object that a variable lies in; 0 = in none. */
unsigned find_data_instance(
	struct session *s, uint64_t address, uint32_t generation) PP_ANY;

/* The instance for generated code at pc: whole JIT_GRAIN blocks. */
#define JIT_GRAIN (UINT64_C(1) << 20)
unsigned find_jit_instance(
	struct session *s, uint64_t pc, uint32_t generation) PP_ANY;

#endif
