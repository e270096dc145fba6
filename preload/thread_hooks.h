/*
 * thread_hooks.h - the part of threads.c that the constructor calls.
 */
#ifndef THREAD_HOOKS_H
#define THREAD_HOOKS_H

#include "pp.h"

/* From here on starts and ends of threads are seen, and the end of the calling
 * one. */
void thread_hooks_start(void) PP_NORMAL;

#endif
