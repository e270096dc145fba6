/*
 * recover_fate.h - is the process that a session belongs to still at work?
 */
#ifndef RECOVER_FATE_H
#define RECOVER_FATE_H

#include "pp.h"

#include "session.h"

enum fate {
	FATE_ALIVE,
	FATE_DEAD,
	FATE_REPLACED, /* the process lives on, with another program (exec) */
	FATE_UNKNOWN,  /* it cannot be seen from here: another PID namespace,
			  or another machine */
};

/* Of the process that made the session in the file at `path` (or that was
 * copied from there). A process id that is in use again is nobody. */
enum fate fate_of(const struct session *s, const char *path);

/* "alive", "dead", "exec", "unknown". */
const char *fate_name(enum fate fate);

#endif
