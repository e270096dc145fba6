/*
 * recover_write.h - the profiles out of one copied session.
 */
#ifndef RECOVER_WRITE_H
#define RECOVER_WRITE_H

#include <stdio.h>

#include "pp.h"

#include "session.h"

struct recovery {
	const char *ended;  /* how the process ended: "was killed by ..." */
	const char *output; /* template in place of its own, absolute; NULL */
	bool all; /* also kinds of which it had written the final profile */
};

struct recovered {
	unsigned written, failed;
};

/*
 * Write what a clean end would have written and has not. Lines as the library
 * would log them, in the name of that process, go to `log`.
 */
struct recovered recover_write(
	struct session *copy, const struct recovery *how, FILE *log);

/* After a failure: the session in the file of this path has not gone. */
void recover_log_kept(const struct session *copy, const char *path, FILE *log);

/* Up to when the data reach, as text: "2025-03-01T12:00:00Z". */
#define RECOVER_TIME_MAX 32
void recover_time(uint64_t wall_ns, char ret[RECOVER_TIME_MAX]);
uint64_t recover_reach_ns(const struct session *s);

#endif
