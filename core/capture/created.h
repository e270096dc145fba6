/*
 * created.h - where threads are made: the threadcreate profile.
 *
 * Every thread counts, none is sampled. The main thread, which nobody made,
 * has a record of its own: the program's entry. Context: PP_ANY; errno is left
 * alone.
 */
#ifndef CREATED_H
#define CREATED_H

#include "pp.h"

#include "arch.h"
#include "process.h"

/* The main thread of this process, once in each: at the start and, in a forked
 * child, when there is something to say. */
void created_main(struct session *s) PP_ANY;

/* The calling thread has made one; `regs` are those of the hook. */
void created_thread(const struct arch_regs *regs) PP_ANY;

/* One that was made before there were any records. */
void created_unseen(void) PP_ANY;

static inline bool created_wanted(void)
{
	return (process.settings.profiles &
		       PROFILE_BIT(PROFILE_THREADCREATE)) != 0;
}

#endif
