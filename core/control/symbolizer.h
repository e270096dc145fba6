/*
 * symbolizer.h - source lines for finished profiles, by another program.
 *
 * The offline helper (core/symbolize) replaces a profile that has names by one
 * that has lines and inlined functions, too. It is started as nobody's child
 * (orphan.h), for all files of one occasion; one at a time: files that come
 * while it works are kept for the next occasion, at the latest the end.
 *
 * Context: PP_ANY; all signals blocked. Locking: the lock of reports.c, but
 * for what says otherwise.
 */
#ifndef SYMBOLIZER_H
#define SYMBOLIZER_H

#include "pp.h"

/* A profile is complete. */
void symbolizer_add(const char *path) PP_ANY;

enum symbolizer_occasion {
	SYMBOLIZER_GOES_ON, /* the process does */
	SYMBOLIZER_EXEC,    /* another program takes its place */
	SYMBOLIZER_END,
};

/* The process ends: will the helper write at once, and compressed, what is
 * written now? Then we need not. A "yes" that turns out wrong costs room on the
 * disk. */
bool symbolizer_rewrites(void) PP_ANY;

/* Start the helper, unless it has nothing to do or has to wait; at an end wait
 * for it as long as PPROFC_SYMBOLS_TIMEOUT says. */
void symbolizer_start(enum symbolizer_occasion occasion) PP_ANY;

/* A sandbox will not let it. No lock needed. */
void symbolizer_forbid(void) PP_ANY;

/* The rights of this process are about to change: nothing goes on with the old
 * ones that shares its memory. No lock needed. */
void symbolizer_end_kept(void) PP_ANY;

/* A forked child: the files were the parent's. */
void symbolizer_reset(void) PP_ANY;

#endif
