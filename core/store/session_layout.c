/*
 * session_layout.c - see session_layout.h. Context: PP_ANY.
 */
#include "pp.h"

#include "live.h"
#include "modules.h"
#include "rows.h"
#include "session_layout.h"
#include "threads.h"

#define TABLE(list, first_bits, element)                                       \
	{                                                                      \
		offsetof(struct session, list), (first_bits), sizeof(element), \
	}

/* Of the first segment: 2^n elements. */
const struct session_table session_tables[SESSION_TABLES] = {
	TABLE(stack_index, 11, uint64_t),
	TABLE(row_index, 11, uint64_t),
	TABLE(label_index, 9, uint64_t),
	TABLE(rows, 6, struct row),
	TABLE(live_keys, 10, uint64_t),
	TABLE(live_values, 10, struct live_value),
	TABLE(modules, 5, struct module),
	TABLE(threads, 6, struct thread_slot),
};
