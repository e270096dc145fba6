/*
 * heap_hooks.h - the part of heap.c that the constructor calls.
 */
#ifndef HEAP_HOOKS_H
#define HEAP_HOOKS_H

#include "pp.h"

/*
 * From the constructor, after real_resolve_all() and process_start(). Returns
 * whether calls of malloc and free from anywhere in the host arrive here: not
 * if the executable or a library preloaded before us defines them. heap_start()
 * wants to know.
 */
bool heap_hooks_start(void) PP_NORMAL;

#endif
