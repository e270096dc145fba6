/*
 * guard.h - limits of our own, and what happens when a file gets us down.
 *
 * Context: PP_NORMAL.
 */
#ifndef GUARD_H
#define GUARD_H

#include "pp.h"

/* Nothing of what was meant for a profiled program is meant for us. */
void guard_environment(void);

/* Memory and CPU time; a crash ends in one line on stderr and status 1. */
void guard_limits(void);

#endif
