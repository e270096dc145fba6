/*
 * fork_hooks.h - the part of fork.c that the constructor calls.
 */
#ifndef FORK_HOOKS_H
#define FORK_HOOKS_H

#include "pp.h"

/* 0 or -errno. */
int fork_hooks_start(void) PP_NORMAL;

#endif
