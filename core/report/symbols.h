/*
 * symbols.h - names for addresses.
 *
 * Sources: .symtab and .dynsym of the mapped file, .symtab of its separate
 * debug file under /usr/lib/debug/.build-id, the vdso in our own memory, perf
 * maps for code made at run time. A name is given only when a symbol contains
 * the address; see match.c for the one exception. Names from a file are used
 * only if it is the file that was mapped: same build id.
 *
 * Owner: the arena's. Context: PP_ANY.
 */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include "pp.h"

#include "arena.h"
#include "modules.h"
#include "session.h"

/* One address to be named. */
struct symbol {
	uint64_t key;	  /* group << 48 | run-time address: the sort order */
	const char *name; /* NULL = none found; in the arena */
	uint32_t name_len;
	uint32_t user;	 /* the caller's */
	uint64_t offset; /* from where the symbol starts */
};

static inline uint64_t symbol_address(const struct symbol *s)
{
	return s->key & ((UINT64_C(1) << 48) - 1);
}

struct symbols {
	const struct session *session;
	struct arena *arena;
	bool own_process; /* this process made the session */
	bool variables;	  /* these are wanted, not functions */
	uint8_t *block;	  /* SYMBOLS_BLOCK bytes for reading */
	uint32_t *steps;  /* SYMBOLS_STEPS + 1, for match.c */
};
#define SYMBOLS_BLOCK (64u * 1024)
#define SYMBOLS_STEPS 1024u

enum symbols_result {
	SYMBOLS_READ,
	SYMBOLS_MISSING, /* there is no file to read names from */
	SYMBOLS_CHANGED, /* there is, but not the one that was mapped */
};

/* 0 or -ENOMEM. */
int symbols_init(struct symbols *y, const struct session *s,
	struct arena *arena, bool own_process) PP_ANY;

/* Into the order symbols_find() wants. */
void symbols_sort(struct symbol *list, uint32_t n) PP_ANY;

/* In that order, the first whose key is not below; n = there is none. */
uint32_t symbols_first_from(
	const struct symbol *list, uint32_t n, uint64_t key) PP_ANY;

/* Name n addresses of one module, sorted by address and each only once. */
enum symbols_result symbols_find(struct symbols *y, const struct module *m,
	struct symbol *wanted, uint32_t n) PP_ANY;

/* The same without a session: of a file that was mapped as m says, found at
 * this path (NULL = none) or among the debug files. */
enum symbols_result symbols_find_in_file(struct symbols *y, const char *path,
	const struct module *m, struct symbol *wanted, uint32_t n) PP_ANY;

/* The same for addresses outside of any file, from /tmp/perf-PID.map. */
enum symbols_result symbols_find_jit(
	struct symbols *y, struct symbol *wanted, uint32_t n) PP_ANY;

/* The path without the " (deleted)" the kernel adds; its length. */
size_t symbols_path_length(const char *path) PP_ANY;

#endif
