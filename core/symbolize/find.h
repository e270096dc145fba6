/*
 * find.h - where the file of a mapping is, and its debug information.
 *
 * A file is only taken if its build id is the one wanted. Context: PP_NORMAL.
 */
#ifndef FIND_H
#define FIND_H

#include <sys/types.h>

#include "pp.h"

#include "object.h"

struct find_where {
	const char **debug_dirs; /* searched first */
	size_t debug_dir_count;
	const char *sysroot; /* NULL = "/" */
	pid_t pid;	     /* its files, while it lives; 0 = none */
	bool debuginfod;
	unsigned debuginfod_timeout_s;
};

struct find_what {
	const char *path;
	struct build_id id;
	uint64_t start, limit; /* run-time addresses, for /proc/PID/map_files */
	int64_t until_ns;      /* without build ids: not changed after this */
};

/* The file itself. 0; -ENOENT; -ESTALE when there is one by that name, but
 * not the one that was mapped. */
int find_main(const struct find_where *where, const struct find_what *what,
	struct object *ret);

/* The file with .debug_info that belongs to it: `main` may be closed. -ENOENT;
 * -ESTALE when there was one of another build. */
int find_debug(const struct find_where *where, const struct find_what *what,
	const struct object *main, struct object *ret);

/* A file that debug information was moved to (dwz). */
int find_alternate(const struct find_where *where, const char *beside,
	const char *name, const struct build_id *id, struct object *ret);

#endif
