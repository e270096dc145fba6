/*
 * heap_hooks.h - the part of heap.c that the constructor calls.
 */
#ifndef HEAP_HOOKS_H
#define HEAP_HOOKS_H

#include "pp.h"

/*
 * From the constructor, after real_resolve_all() and process_start(). Returns
 * whether a call of malloc from anywhere in the host arrives here: not if the
 * executable or a library preloaded before us defines it. heap_start() wants
 * to know.
 */
bool heap_hooks_start(void) PP_NORMAL;

#endif
