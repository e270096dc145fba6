/*
 * lines.h - source lines for the profiles of a run, when it has ended.
 *
 * The processes of a run leave that to us (core/control/symbolizer.c): one
 * helper reads the debug information of a program once for all of them.
 */
#ifndef LINES_H
#define LINES_H

#include "pp.h"

/*
 * Replace these profiles by ones with source lines. Says what takes long, and
 * what cannot be done, unless quiet. A signal that ends programs ends the
 * waiting; the profiles that are not done then keep what they have.
 */
void lines_add(char *const *files, unsigned count, bool quiet) PP_NORMAL;

#endif
