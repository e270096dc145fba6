/*
 * report.h - one profile of a session into one file.
 *
 * Takes the baton, drains, copies rows and live table into an arena of its
 * own, gives the baton back, and only then finds names, encodes and writes
 * FILE.tmp, which is linked to its final name. Works on the running process's
 * own session and on one opened from a file. Needs about 16 KiB of stack.
 * Context: PP_ANY (only raw system calls; all signals should be blocked, or
 * the caller runs on a thread of ours).
 */
#ifndef REPORT_H
#define REPORT_H

#include "pp.h"

#include "session.h"
#include "settings.h"

enum report_occasion {
	REPORT_EXIT,   /* the final file: no .N */
	REPORT_SIGNAL, /* numbered files: */
	REPORT_INTERVAL,
	REPORT_WINDOW, /* CPU of one toggle window: since the last one */
};

/* In-use values copied earlier (at our ELF destructor, before the host's
 * static objects are torn down); see report_copy_live(). */
struct live_copy;
struct known_names;
struct thread_stacks; /* core/capture */

struct report_request {
	enum profile_kind kind;
	enum report_occasion occasion;
	const struct live_copy *live; /* NULL = take it from the live table */
	const struct thread_stacks *threads; /* of the goroutine profile */
	struct known_names *names; /* found for other profiles, too; NULL */
	bool own_process; /* perf maps and /proc of this pid may be used */
	const char *const *notes;   /* more comments, NULL at the end; NULL */
	uint64_t *ret_samples;	    /* how many the profile has; NULL */
	bool (*is_rewritten)(void); /* soon, by others? Then fast; NULL = no */
};

/*
 * Write the profile. Returns 0; -ENODATA when there is no sample (no file is
 * written); or -errno (nothing is left behind; logged). ret_path (may be NULL)
 * gets the file's name.
 */
int report_write(struct session *s, const struct report_request *request,
	char *ret_path, size_t path_size) PP_ANY;

/* Copy the in-use values of now. NULL when memory is refused. Lives until the
 * process ends. */
const struct live_copy *report_copy_live(struct session *s) PP_ANY;

#endif
