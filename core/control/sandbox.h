/*
 * sandbox.h - what a seccomp filter would do about our own system calls.
 *
 * A filter that refuses one (an error) costs a profile at most. One that ends
 * the program for it, or raises SIGSYS, or asks another process and waits,
 * would make us the program's end. Context: PP_ANY.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "pp.h"

/* Would the filter, a struct sock_fprog of the host's, hurt it when we go on
 * as now? One that cannot be read does: the kernel will not take it either. */
bool sandbox_hurts(const void *program) PP_ANY;

/* Would it, when we start another program? */
bool sandbox_forbids_orphans(const void *program) PP_ANY;

/* Is there a filter that would, from before this program was executed? */
bool sandbox_is_inherited(void) PP_NORMAL;

#endif
