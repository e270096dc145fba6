/*
 * jump_hooks.h - the part of jumps.c that the constructor calls.
 */
#ifndef JUMP_HOOKS_H
#define JUMP_HOOKS_H

#include "pp.h"

/* From here on jumps out of an alternate stack leave it first. */
void jump_hooks_start(void) PP_ANY;

#endif
