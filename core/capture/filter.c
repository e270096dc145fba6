/*
 * filter.c - see filter.h. Context: PP_ANY.
 */
#include "pp.h"

#include "filter.h"

void filter_skip_near(struct filter *f)
{
	for (unsigned i = 0; i < FILTER_NEAR_SLOTS; i++)
		atomic_store_explicit(
			&f->near[i], UINT8_MAX, memory_order_relaxed);
}
