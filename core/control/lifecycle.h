/*
 * lifecycle.h - the order in which things start, fork and end.
 *
 * preload/ calls these from its hooks; all of them test whether this process
 * is ours (a vfork child runs in its parent's memory with another pid, and a
 * child by raw fork is detached) and then do nothing. Context: PP_ANY unless
 * said otherwise; errno is untouched.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "pp.h"

/* This image is set up and the caller is not a vfork child in it. */
bool lifecycle_is_ours(void) PP_ANY;

/* Start recording. process.settings are read, process_start() is done;
 * `timer_signal` has its handler (0 = no CPU profile). */
void lifecycle_start(int timer_signal) PP_NORMAL;

/* In-use values of now for the final reports: our ELF destructor. */
void lifecycle_copy_live(void) PP_ANY;

/* Write the final profiles, once; whoever comes second waits for the first, two
 * seconds at most. From exit, _exit, quick_exit. */
void lifecycle_finish(void) PP_ANY;

/* The same before a signal ends this process: who comes second waits for that,
 * or an exit would get ahead of the signal and give another status. */
void lifecycle_die(void) PP_ANY;

/*
 * exec replaces this image: the same. True: call the other one if it fails.
 * Then the profiles are withdrawn, and as recording has gone on meanwhile
 * nothing is missing; unless another thread's exec or an end has come: these
 * rely on them.
 */
bool lifecycle_exec_begin(void) PP_ANY;
void lifecycle_exec_failed(void) PP_ANY;

/* The host is about to give up system calls that we make: write the final
 * profiles, and do nothing any more, as in a child that is detached. Returns
 * what lifecycle_return() takes when nothing came of it; 0 = not ours. */
uint32_t lifecycle_withdraw(void) PP_ANY;
void lifecycle_return(uint32_t image) PP_ANY;

/* A thread starts (with its start routine) and ends. `stack_bytes` is the size
 * of its stack, 0 = unknown. */
void lifecycle_thread_begin(uint64_t start_pc, size_t stack_bytes) PP_ANY;
void lifecycle_thread_end(void) PP_ANY;

/* Why a thread may have no timer. */
enum untimely {
	UNTIMELY_STACK = 1, /* an alternate stack too small for our handler */
	UNTIMELY_DISPATCH = 2, /* its system calls may raise SIGSYS */
	UNTIMELY_EXEC = 4,     /* it is being replaced */
};

/* The calling thread is about to be in such a state, or no longer is. Returns
 * what was before. */
bool lifecycle_untimely(enum untimely why, bool is) PP_ANY;

/* Around fork. `prepare` leaves all signals blocked until the other two. */
void lifecycle_fork_prepare(void) PP_ANY;
void lifecycle_fork_parent(void) PP_ANY;
void lifecycle_fork_child(void) PP_ANY;

/* Around a change of this process's credentials: no helper thread runs. `user`
 * is the effective user that is wanted, or UINT32_MAX for as before. */
uint32_t lifecycle_creds_begin(uint32_t user) PP_ANY;
/* With what the former returned: a fork may lie between. */
void lifecycle_creds_end(uint32_t image) PP_ANY;

#endif
