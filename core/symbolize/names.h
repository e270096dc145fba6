/*
 * names.h - names of functions that people read, from those of the linker.
 *
 * Context: PP_NORMAL.
 */
#ifndef NAMES_H
#define NAMES_H

#include "pp.h"

enum names_style {
	NAMES_NONE,   /* as the linker has them */
	NAMES_SIMPLE, /* ns::class::function, as go tool pprof shows them */
	NAMES_FULL,   /* with template arguments and parameters */
};

/* A new string, for free(); NULL when the name is not mangled, or without
 * memory. */
char *names_readable(const char *mangled, enum names_style style);

#endif
