/*
 * replace.h - a profile to a file, which only ever is complete.
 *
 * Context: PP_NORMAL.
 */
#ifndef REPLACE_H
#define REPLACE_H

#include <sys/stat.h>

#include "pp.h"

struct pprof;

/*
 * Write the profile beside `path` and rename it to that name. `was` is the file
 * that is to be replaced: it hands its mode and owner on, and if `path` is
 * another file by now, or none, that stays so and *ret_gone is set. NULL:
 * create or replace the file that is there; what is no file is written to. 0 or
 * -errno; after an error `path` is as it was and nothing is left beside it.
 */
int replace_file(const char *path, const struct stat *was, bool gzip,
	const struct pprof *p, bool *ret_gone);

/* For handlers of signals that end us: remove the unfinished file. */
void replace_abandon(void);

#endif
