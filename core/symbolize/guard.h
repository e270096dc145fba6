/*
 * guard.h - limits of our own, and what happens when a file gets us down.
 *
 * Context: PP_NORMAL.
 */
#ifndef GUARD_H
#define GUARD_H

#include <sys/types.h>

#include "pp.h"

/* Nothing of what was meant for a profiled program is meant for us. */
void guard_environment(void);

/* Memory and CPU time; a crash ends in one line on stderr and status 1. */
void guard_limits(void);

/* A worker's own: it dies of what it does, with its parent, and before others
 * when memory is short. */
void guard_worker(pid_t parent, unsigned cpu_s, uint64_t memory);

#endif
