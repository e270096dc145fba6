/*
 * bound.h - does a name that the host calls reach this library?
 */
#ifndef BOUND_H
#define BOUND_H

#include "lookup.h"
#include "pp.h"

struct bound_name {
	uint32_t hash;
	char text[12];
};
#define BOUND_NAME(text)                  \
	{                                 \
		LOOKUP_HASH(text), (text) \
	}

/* Whether references to all these names from the program are bound to us. */
bool bound_here(const struct bound_name *names, size_t n) PP_NORMAL;

#endif
