/*
 * list.h - room for one more element in a list that grows by doubling.
 */
#ifndef LIST_H
#define LIST_H

#include <stdlib.h>

#include "pp.h"

#define LIST_MAX (UINT32_MAX - 1)

/* The list, perhaps elsewhere, with room for element number `count`; NULL, and
 * the list as it was, without memory. Elements are addressed by 32 bits. */
static inline void *list_grown(
	void *list, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return list;
	if (more > LIST_MAX)
		return NULL;
	grown = realloc(list, more * size);
	if (grown)
		*room = more;
	return grown;
}

/* LIST_ADD(list, count, room): a pointer to a new last element, or NULL. */
#define LIST_ADD(list, count, room)                                 \
	({                                                          \
		void *grown_ = list_grown(                          \
			(list), (count), &(room), sizeof(*(list))); \
                                                                    \
		if (grown_)                                         \
			(list) = grown_;                            \
		grown_ ? &(list)[(count)++] : NULL;                 \
	})

#endif
