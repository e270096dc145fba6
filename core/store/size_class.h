/*
 * size_class.h - the size classes heap rows are keyed by.
 *
 * Eight classes per power of two; exact up to 16. Class c holds the sizes s
 * with size_class_limit(c - 1) < s <= size_class_limit(c), and that limit is
 * the `bytes` label of its samples: 16, 18, 20 ... 32, 36, 40 ... 64, 72 ...
 * The function is part of the session's layout: a change bumps
 * SESSION_VERSION. Context: PP_ANY.
 */
#ifndef SIZE_CLASS_H
#define SIZE_CLASS_H

#include "pp.h"

#define SIZE_CLASS_EXACT 16u

static inline uint16_t size_class(uint64_t size)
{
	uint64_t below;
	unsigned top;

	if (size <= SIZE_CLASS_EXACT)
		return (uint16_t)size;
	below = size - 1; /* so that a limit falls into its own class */
	top = 63u - (unsigned)__builtin_clzll(below);
	return (uint16_t)(SIZE_CLASS_EXACT + 1 + (top - 4) * 8 +
			  ((below >> (top - 3)) & 7));
}

/* The largest size in the class; INT64_MAX when it would be more. */
static inline int64_t size_class_limit(uint16_t c)
{
	unsigned step, above;

	if (c <= SIZE_CLASS_EXACT)
		return c;
	above = c - SIZE_CLASS_EXACT - 1u;
	step = above / 8 + 1;
	if (step >= 59)
		return INT64_MAX;
	return (int64_t)(9 + above % 8) << step;
}

#endif
