/*
 * recover_core.h - a session out of a core file.
 */
#ifndef RECOVER_CORE_H
#define RECOVER_CORE_H

#include <stdio.h>

#include "pp.h"

/* Write the profiles of the process whose core it is. `exe` (where names of the
 * program come from) and `output` (template) may be NULL. Lines for the user go
 * to `log` as in recover_write.h; what is wrong is said. Returns how many
 * things failed. */
unsigned recover_core(
	const char *path, const char *exe, const char *output, FILE *log);

#endif
