/*
 * session_place.h - where a session's bytes lie, and whose they are. For
 * core/store, and for who looks for sessions. Context: PP_ANY.
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

/* The name of a session's file: pid, and CLOCK_BOOTTIME when it was made. */
#define SESSION_NAME "pprofc.%u.%lx.session"

/* The directory of the output template, as far as it is fixed. */
void session_output_directory(
	const struct settings *settings, char *dir, size_t size) PP_ANY;

/* Remove what killed processes have left beside this session's file, but for
 * the newest: session_left.c. */
void session_remove_left(const struct session *own) PP_ANY;

/* Field 22 of a /proc/PID/stat; 0 if it cannot be read. */
uint64_t session_start_ticks(const char *path) PP_ANY;

/* Fill identity, times, the executable's path, names of program and host. */
void session_identify(struct session *s) PP_ANY;

#endif
