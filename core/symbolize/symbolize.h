/*
 * symbolize.h - a whole profile: every location that can be found gets its
 * functions, files and lines.
 *
 * Context: PP_NORMAL.
 */
#ifndef SYMBOLIZE_H
#define SYMBOLIZE_H

#include "pp.h"

#include "cache.h"
#include "find.h"
#include "functions.h"
#include "pprof.h"

struct symbolize_options {
	struct find_where where;
	enum names_style style;
	bool rebase;
	struct cache *cache; /* NULL: none; not with rebase */
};

/* What is wrong with a file is said; *ret_refused counts files that were of
 * another build. The strings that are added live in *f. 0 or -ENOMEM. */
int symbolize(struct functions *f, const struct symbolize_options *o,
	unsigned *ret_refused);

#endif
