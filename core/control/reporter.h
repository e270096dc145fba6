/*
 * reporter.h - work that a signal asks for, done outside its handler.
 *
 * A request starts a helper thread that serves all requests there are and ends;
 * when none can be started the handler serves them itself. Requests to dump
 * that come while one waits coalesce; toggles are all carried out; none is
 * lost. Context: PP_ANY.
 */
#ifndef REPORTER_H
#define REPORTER_H

#include "pp.h"

enum reporter_request { REPORTER_DUMP, REPORTER_TOGGLE, REPORTER_REQUESTS };

/* From a handler with all signals blocked. */
void reporter_request(enum reporter_request what) PP_ANY;

/* Another process asks for the kinds of this mask: session.h. As above. */
void reporter_ask(uint32_t kinds) PP_ANY;

/* Keep it from running (change of credentials, the end): waits for one
 * that runs, two seconds at most. Requests are kept for the release. */
void reporter_hold(void) PP_ANY;
void reporter_release(void) PP_ANY;

/* Serve here what is pending; held or not running. */
void reporter_serve_pending(void) PP_ANY;

/* A forked child: the requests were the parent's. */
void reporter_reset(void) PP_ANY;

#endif
