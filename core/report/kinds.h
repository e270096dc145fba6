/*
 * kinds.h - how each kind of profile is laid out: its columns as Go names them
 * (contract 1.4), the last one being what `go tool pprof` shows first.
 *
 * Context: PP_ANY.
 */
#ifndef KINDS_H
#define KINDS_H

#include "pp.h"

#include "rows.h"
#include "settings.h"

#define KIND_COLUMNS 4u /* at most */

/* Not pointers, which the loader would fill in at each program's start. */
struct kind_column {
	char type[16], unit[12];
};

struct kind {
	unsigned column_count;
	struct kind_column columns[KIND_COLUMNS];
	struct kind_column period;
	enum row_kind rows; /* where the values are; ROW_KINDS = not in rows */
};

/* The names of `period` and the columns of a kind. */
const struct kind *kind_of(enum profile_kind kind) PP_ANY;

/* What one step of the period column is. */
int64_t kind_period(enum profile_kind kind, const struct settings *s) PP_ANY;

#endif
