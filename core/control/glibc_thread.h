/*
 * glibc_thread.h - does this thread have what libc gives to its threads?
 *
 * A thread by raw clone may have a thread pointer of its own, with nothing of
 * ours below it: to read a variable of a thread there is to read, or write,
 * whatever happens to lie at that place. Context: PP_ANY.
 */
#ifndef GLIBC_THREAD_H
#define GLIBC_THREAD_H

#include "pp.h"

/* Once, in a thread that certainly is one of libc's. */
void glibc_thread_start(void) PP_ANY;

/* Is the calling thread? False in one that borrows another's block, too, and
 * when in doubt. Touches no variable of a thread. */
bool glibc_thread_here(void) PP_ANY;

#endif
