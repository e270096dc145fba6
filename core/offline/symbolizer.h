/*
 * symbolizer.h - `pprofc symbolize`: a program of its own, pprofc-symbolize,
 * since it is linked with elfutils and pprofc with nothing.
 */
#ifndef SYMBOLIZER_H
#define SYMBOLIZER_H

#include <limits.h>

#include "pp.h"

/* Where it is; false: it is not installed. */
bool symbolizer_find(char ret_path[PATH_MAX]);

/* Become it. argv[0] is "symbolize". Returns an exit status if that fails,
 * after saying why. */
int symbolizer_main(char **argv);

#endif
