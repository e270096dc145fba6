/*
 * isolate.h - work on a file that may be hostile, in a process of its own.
 *
 * libdw believes much of what a file says. A crash in it, a loop without end
 * and memory without end cost one worker, not the profile.
 *
 * Owner: isolate_free(). Context: PP_NORMAL, one thread.
 */
#ifndef ISOLATE_H
#define ISOLATE_H

#include <stdio.h>

#include "pp.h"

#include "wire.h"

struct isolate_limits {
	unsigned cpu_s;
	uint64_t memory;
};

struct isolate_result {
	struct wire_out bytes; /* what the worker made, if it ended well */
	int status;	       /* as of waitpid() */
};

/* Runs in the worker, which begins as a copy of this process and is gone
 * afterwards: only the bytes come back. 0, or it counts as a failure. */
typedef int isolate_fn(void *arg, struct wire_out *ret);

/* 0; -ECHILD when the worker was ended, or failed: see status; another error
 * when there was none, for want of processes or memory. */
int isolate_run(isolate_fn *fn, void *arg, const struct isolate_limits *limits,
	struct isolate_result *ret);
void isolate_free(struct isolate_result *r);

/* For people: how a worker ended that did not end well. */
void isolate_reason(const struct isolate_result *r,
	const struct isolate_limits *limits, char *text, size_t room);

#endif
