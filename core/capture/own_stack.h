/*
 * own_stack.h - run a function on a stack of ours: the host's may be a small
 * coroutine's or an 8 KiB alternate stack, and a report needs more.
 */
#ifndef OWN_STACK_H
#define OWN_STACK_H

#include "pp.h"

#define OWN_STACK_BYTES (256u * 1024) /* touched as far as needed */

#define OWN_STACK_NEED (64u * 1024)

/* Call fn(arg) on a fresh stack. When memory is refused: on the current one if
 * that has room, else not at all, with a log line. The caller has blocked all
 * signals. */
void own_stack_run(void (*fn)(void *), void *arg) PP_ANY;

/* The same, but on the current stack if it is known to have that much room. */
void own_stack_run_small(void (*fn)(void *), void *arg, size_t bytes) PP_ANY;

/* The mapping: a guard page and the stack. NULL when refused. */
void *own_stack_map(size_t extra, void **ret_top) PP_ANY;

#endif
