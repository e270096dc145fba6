/*
 * helper.h - short threads of ours by raw clone.
 *
 * Not pthreads: a second pthread switches off glibc's and libstdc++'s shortcuts
 * for single-threaded programs and keeps a process alive whose last pthread has
 * ended. A helper has its own stack, its own zeroed TLS block and all signals
 * blocked, a descriptor table of its own (where that is refused: the host's),
 * and makes raw system calls only. Credentials are per thread and
 * glibc changes only those of its own threads: preload/creds.c keeps helpers
 * out of the way. Context: PP_ANY.
 */
#ifndef HELPER_H
#define HELPER_H

#include "pp.h"

/* Measure the TLS block. Once, from the constructor. */
void helper_init(void) PP_NORMAL;

/* Run fn(arg) on a new thread, which then ends. 0 or -errno. */
int helper_run(void (*fn)(void *), void *arg) PP_ANY;

/* Run fn(arg) on a helper and wait until that has ended; on a helper already,
 * right here. All signals are blocked. -errno: fn has not been called. */
int helper_call(void (*fn)(void *), void *arg) PP_ANY;

#endif
