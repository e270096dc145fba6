/*
 * heap_hooks.h - the part of heap.c that the constructor calls.
 */
#ifndef HEAP_HOOKS_H
#define HEAP_HOOKS_H

#include "pp.h"

/* Whether a call of malloc from anywhere in the host arrives here: not if the
 * executable or a library preloaded before us defines it. After
 * process_start(). */
bool heap_hooks_reached(void) PP_NORMAL;

#endif
