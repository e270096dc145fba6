/*
 * session_layout.h - the tables of a session, as data: one list for whoever
 * makes them and whoever checks them. Private to core/store. Context: PP_ANY.
 */
#ifndef SESSION_LAYOUT_H
#define SESSION_LAYOUT_H

#include "pp.h"

#include "session.h"

#define SESSION_RING_SLOTS 1024u
#define SESSION_TABLES 8u

struct session_table {
	uint32_t list; /* offset of the struct seglist */
	uint32_t first_bits, elem_bytes;
};

extern const struct session_table session_tables[SESSION_TABLES]
	__attribute__((visibility("hidden")));

static inline struct seglist *session_table(struct session *s, unsigned i)
{
	return session_at(s, session_tables[i].list);
}

#endif
