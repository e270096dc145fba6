/*
 * status.h - the file to which every process of a run appends its log lines
 * (PPROFC_STATUS), and the summary made of it.
 *
 * Lines are those of core/base/log.h. "pprofc[PID]: wrote PATH (KIND, N
 * samples)" names a profile; any other text is something that went wrong, or
 * why a program was not profiled.
 */
#ifndef STATUS_H
#define STATUS_H

#include <limits.h>

#include "pp.h"

/* In a directory of its own: when that is gone, a process that outlives the
 * run cannot create the file anew. */
struct status_file {
	char dir[PATH_MAX];
	char path[PATH_MAX + 16];
};

/* Create the file and put its name into our environment. Returns 0 or -errno.
 * Processes that change their user may append, too: the name is secret. */
int status_create(struct status_file *ret);
void status_remove(const struct status_file *f);

/* What it says. */
struct status_summary;

/* Remove the file and read it. A process that has said something while it was
 * there relies on that this is read. Never returns NULL. */
struct status_summary *status_read(const struct status_file *f);

/* The profiles, in the order of writing. The array is the caller's to free, the
 * paths are the summary's. */
char **status_profiles(const struct status_summary *s, unsigned *ret_count);

struct status_counts {
	unsigned profiles, problems;
};

/* Say what was written, what went wrong, and how to open the profiles. */
struct status_counts status_say(struct status_summary *s);

void status_free(struct status_summary *s);

#endif
