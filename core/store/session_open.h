/*
 * session_open.h - the session of another process, copied and checked.
 *
 * What comes from a file is not trusted. Its bytes are copied into memory of
 * ours, so that whoever changes or cuts the file afterwards changes nothing
 * here (mapped, a file that shrinks would be SIGBUS); holes stay holes. Then
 * one walk (session_check.c) makes sure that every offset and every number that
 * the report code goes by stays within the copy, and what was left in the ring
 * is added to the rows (ring_recover()). After that the copy is as good as a
 * session of our own.
 *
 * The process may be alive: it is not disturbed and notices nothing. What it
 * records while its pages are being copied may be missing in the copy; nothing
 * is in it twice.
 *
 * Context: PP_ANY.
 */
#ifndef SESSION_OPEN_H
#define SESSION_OPEN_H

#include "pp.h"

#include "session.h"

/* Where a session's bytes lie in a file: all of it, or a part of a core. */
struct session_source {
	int fd;
	uint64_t off, bytes;
};

/* Why there is none; also -errno of the system calls. */
enum session_open_error {
	SESSION_NONE = -1001,	       /* no session at all */
	SESSION_OTHER_VERSION = -1002, /* of another version of pprofc */
	SESSION_UNFINISHED = -1003,    /* was just being made */
	SESSION_CUT = -1004,	       /* the file ends too early */
	SESSION_DAMAGED = -1005,       /* what it holds cannot be */
};

/* 0, or one of the above. Close with session_close(). */
int session_open(const char *path, struct session **ret_session) PP_ANY;
int session_read(
	const struct session_source *from, struct session **ret_session) PP_ANY;

/* Only the identity and so on: whatever a session tells before its tables are
 * looked at. The strings are terminated, the offsets mean nothing. */
int session_read_header(
	const struct session_source *from, struct session *ret) PP_ANY;

/* Another file in place of the executable, where names come from. */
bool session_replace_exe(struct session *copy, const char *path) PP_ANY;

/* --- session_check.c ------------------------------------------------------ */

/* The header alone. 0 or an error. */
int session_check_header(struct session *s) PP_ANY;

/* All the rest of a copy of which `used` bytes are mapped: 0 or
 * SESSION_DAMAGED. Rows and records that cannot be are taken out and counted
 * (STAT_DAMAGED). */
int session_check(struct session *s) PP_ANY;

#endif
