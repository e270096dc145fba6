/*
 * heap_hooks.h - the parts of heap.c, hook_page.c and cxx_new.c that the
 * constructor calls.
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

/* The heap will never be recorded in this process: from now on the functions of
 * the malloc family are jumps to the real ones. After real_resolve_all(). See
 * hook_page.c. */
void hook_page_leave(void) PP_NORMAL;

/* From the first allocation on, and from the constructor after heap_start():
 * see cxx_new.c. */
extern bool cxx_new_settled __attribute__((visibility("hidden")));
void cxx_new_settle(void);
void cxx_new_start(void) PP_NORMAL;

#endif
