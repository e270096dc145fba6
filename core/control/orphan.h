/*
 * orphan.h - start another program that is nobody's child here.
 *
 * A process that executes a program sends SIGCHLD at its end, whatever it was
 * made with, and wait() sees it. So we make an intermediate, with exit signal 0
 * (only __WCLONE and __WALL see those), which never executes anything: it makes
 * the process that does. Both share our memory, so that nothing is copied, not
 * even page tables, and have none of our descriptors, in an own session, no
 * real-time priority, and the first claim on being killed for want of memory.
 *
 * Detached: the intermediate ends as soon as the program is there, is reaped
 * here, and the program is adopted as any orphan is: by process 1, or by the
 * nearest subreaper above us. Where that would be this process itself, the
 * program is *kept*: the intermediate stays until it has ended. A kept one can
 * be waited for, too.
 *
 * Context: PP_ANY; all signals are blocked. Owner of everything: the caller.
 */
#ifndef ORPHAN_H
#define ORPHAN_H

#include <stdatomic.h>

#include "pp.h"

struct orphan_program {
	const char *path;
	const char *const *argv, *const *envp;
};

struct orphan {
	void *base;		/* the stacks of both; NULL: none is running */
	_Atomic uint32_t alive; /* the intermediate's tid, 0 when it ended */
	int parent;		/* the intermediate */
	int pid;		/* the program */
};

/* Would orphans of this process be its own children? */
bool orphan_comes_home(void) PP_ANY;

/* Would they be children of a program that is profiled, too: process 1 of a
 * container? */
bool orphan_goes_to_host(void) PP_ANY;

/* Could not be asked here: a new process would be the first of a new
 * namespace, whose end is the end of that. */
bool orphan_is_forbidden(void) PP_ANY;

/* The program's pid, or -errno if it was not executed. */
int orphan_start(const struct orphan_program *program) PP_ANY;

/* The same, kept. 0 or -errno. */
int orphan_start_kept(
	const struct orphan_program *program, struct orphan *ret) PP_ANY;

/* Has it ended within so many nanoseconds (UINT64_MAX: however long it takes)?
 * Then it is reaped and *o is free. */
bool orphan_await(struct orphan *o, uint64_t ns) PP_ANY;

/* End it. Call orphan_await() then. */
void orphan_kill(const struct orphan *o) PP_ANY;

#endif
