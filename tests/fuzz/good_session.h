/*
 * good_session.h - a session with a little of everything, for targets that
 * read what is left of one, and the reports that they then make of it.
 */
#ifndef GOOD_SESSION_H
#define GOOD_SESSION_H

#include "pp.h"

#include "session.h"

#define GOOD_SESSION_PID 4711u

/* A new one, the same in every run but for times; session_close() it. */
struct session *good_session(void);

/* All kinds of profiles, written to nowhere. */
void good_session_report(struct session *s);

#endif
