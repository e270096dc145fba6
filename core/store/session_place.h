/*
 * session_place.h - where a session's bytes lie, and whose they are. Private
 * to core/store. Context: PP_ANY.
 */
#ifndef SESSION_PLACE_H
#define SESSION_PLACE_H

#include "pp.h"

#include "session.h"

struct session_space {
	void *base; /* mapped, writable, nothing populated */
	uint64_t cap;
	uint32_t anonymous;
	char path[SETTINGS_PATH_MAX]; /* "" when anonymous */
};

/* Follow settings->session_place; each step down is logged. 0 or -errno. */
int session_find_space(
	const struct settings *settings, struct session_space *ret) PP_ANY;
void session_release_space(struct session_space *space) PP_ANY;

/* Fill identity, times, the executable's path, names of program and host. */
void session_identify(struct session *s) PP_ANY;

#endif
