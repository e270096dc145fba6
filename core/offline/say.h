/*
 * say.h - what the pprofc command tells its user: lines on stderr.
 *
 * Everything in core/offline runs in the command's own process, never in a
 * program that is being profiled: stdio, malloc and exit are fine. Context:
 * PP_NORMAL throughout.
 */
#ifndef SAY_H
#define SAY_H

#include "pp.h"

/* Exit statuses of our own, as env(1) and nice(1) have them. Anything else is
 * the status of the command that was run. */
enum {
	EXIT_PPROFC = 125,	   /* pprofc itself failed: bad usage, ... */
	EXIT_CANNOT_EXECUTE = 126, /* found, but it cannot be executed */
	EXIT_NOT_FOUND = 127,
};

/* One line on stderr, "pprofc: MESSAGE". Control characters, which may come
 * from file names, are shown as ?. */
void say(const char *format, ...) PP_PRINTF(1, 2);

#endif
