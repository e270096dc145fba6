/*
 * bound.h - does a name that the host calls reach this library?
 */
#ifndef BOUND_H
#define BOUND_H

#include "pp.h"

/* Whether a reference to `name` from the program is bound to us. */
bool bound_here(const char *name) PP_NORMAL;

#endif
