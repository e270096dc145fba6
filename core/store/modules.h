/*
 * modules.h - the executable segments that samples fell into.
 *
 * One instance per (segment address range, build id): an instance is reused
 * when the same object comes back at the same address, and a new one is made
 * when another object does, so code at a reused address is never confused.
 * Instances are 1..FRAME_SYNTHETIC-1; 0 means "no known module".
 * Lock-free, append-only. Context: PP_ANY.
 */
#ifndef MODULES_H
#define MODULES_H

#include "pp.h"

#include "session.h"

#define MODULE_BUILD_ID_MAX 32u
#define MODULES_MAX 0xfff0u

enum module_kind {
	MODULE_FILE, /* an ELF file; path as mapped */
	MODULE_VDSO,
	MODULE_JIT, /* anonymous executable memory; path "[jit]" */
};

/* In the session. All but `state` is written before state says ready. */
struct module {
	_Atomic uint32_t state; /* 0 empty, 1 being written, 2 ready */
	uint8_t kind;
	uint8_t build_id_len;
	uint16_t path_len;
	uint64_t start, limit; /* run time: bias + p_vaddr, + p_memsz */
	uint64_t file_offset;  /* p_offset of the segment */
	uint64_t bias;	       /* run-time address - address in the file */
	uint64_t path_off;     /* in the session: NUL-terminated */
	uint8_t build_id[MODULE_BUILD_ID_MAX];
	uint8_t is_main; /* the executable itself */
	uint8_t unused[7];
};

/* What a discoverer knows of a segment; pointers need to live during the call
 * only. */
struct module_info {
	uint64_t start, limit, file_offset, bias;
	enum module_kind kind;
	bool is_main;
	const uint8_t *build_id;
	unsigned build_id_len;
	const char *path; /* absolute; NULL = none */
};

/* The instance, made if needed; 0 when the table or the session is full. */
unsigned modules_intern(
	struct session *s, const struct module_info *info) PP_ANY;

/* The instance if there is one already, else 0. The path is only looked at if
 * there is no build id. */
unsigned modules_find(
	const struct session *s, const struct module_info *info) PP_ANY;

/* NULL for 0, for FRAME_SYNTHETIC and for instances not ready. */
const struct module *modules_get(
	const struct session *s, unsigned instance) PP_ANY;
const char *module_path(const struct session *s, const struct module *m) PP_ANY;

#endif
