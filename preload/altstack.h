/*
 * altstack.h - where the calling thread's alternate stack is: between
 * altstack.c, which sees it set, and jumps.c.
 */
#ifndef ALTSTACK_H
#define ALTSTACK_H

#include "pp.h"

/* Does this address lie in it? */
bool altstack_holds(uint64_t address) PP_ANY;

#endif
