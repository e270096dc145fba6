/*
 * output.h - names of the files we write, and writing them whole or not at all.
 *
 * The template is settings.output (absolute, from PPROFC_OUTPUT). Context:
 * PP_ANY.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "pp.h"

#include "own_fd.h"
#include "settings.h"

struct output_name {
	const struct settings *settings;
	enum profile_kind kind;
	uint32_t pid;
	uint32_t number;  /* N of numbered files; 0 = the exit file */
	uint64_t start_s; /* %t */
};

/*
 * Expand the template: %e %p %k %n %t %h %%; .KIND when the template has no %k
 * and two kinds are written; the pid when the process was forked and the
 * template has no %p; .N before .pb.gz for numbered files unless %n is used.
 * Returns 0 or -ENAMETOOLONG.
 */
int output_expand(
	const struct output_name *name, char *buf, size_t size) PP_ANY;

/* An open temporary file beside its final name. */
struct output {
	struct own_fd file;
	uint32_t pid, kind, number; /* of the name it was begun with */
	uint64_t room; /* bytes RLIMIT_FSIZE lets us write: no SIGXFSZ */
	char tmp[SETTINGS_PATH_MAX + 64];
	char path[SETTINGS_PATH_MAX + 64]; /* final, unsuffixed */
};

/* Create missing parents and the temporary file. Returns 0 or -errno. */
int output_begin(struct output *o, const struct output_name *name) PP_ANY;
/* Write all; 0 or -errno (short writes and EINTR are handled). */
int output_write(struct output *o, const void *data, size_t len) PP_ANY;
/* Give it its name: PATH, or PATH with -2, -3 ... before .pb.gz when that
 * exists already (link(2) is the O_EXCL); o->path becomes the name taken. */
int output_commit(struct output *o) PP_ANY;
/* Leave nothing behind. */
void output_abort(struct output *o) PP_ANY;

/* After writing file name->number: delete number - keep, if we wrote it. Called
 * for each file, so that `keep` remain. */
void output_keep(const struct output_name *name, uint32_t keep) PP_ANY;

#endif
