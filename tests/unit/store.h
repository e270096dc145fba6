/*
 * store.h - a session for the tests of core/store.
 */
#ifndef TEST_STORE_H
#define TEST_STORE_H

#include <stdio.h>

#include "pp.h"

#include "session.h"

/* In a file in `dir`, or without one. */
static inline struct session *new_session(uint64_t memory, const char *dir)
{
	static struct settings settings;
	struct session *s = NULL;

	settings = (struct settings){
		.memory_bytes = memory,
		.max_depth = 128,
		.session_place = dir ? SESSION_DIR : SESSION_ANONYMOUS,
		.output = "/tmp/%e.%p.%k.pb.gz",
	};
	if (dir)
		(void)snprintf(settings.session_dir,
			sizeof(settings.session_dir), "%s", dir);
	return session_create(&settings, &s) == 0 ? s : NULL;
}

#endif
