/*
 * job.h - the work on one profile: symbolize.c goes from file to file,
 * job_file.c does one.
 *
 * Context: PP_NORMAL.
 */
#ifndef JOB_H
#define JOB_H

#include <gelf.h>

#include "pp.h"

#include "assign.h"
#include "functions.h"
#include "module.h"
#include "symbolize.h"

/* How a mapping lies in its file, and whether all was found that there is. */
struct lie {
	bool tried, known;
	bool had_lines; /* by whatever rules */
	bool wanted, unread;
	uint64_t bias; /* address - bias = address in the file */
	GElf_Phdr segment;
};

struct job {
	struct functions *f;
	const struct symbolize_options *o;
	unsigned refused;
	uint32_t *wanted; /* locations, those of one file together */
	size_t count, room;
	size_t done;
	struct lie *lies;      /* by mapping */
	const char *path;      /* of the file being read */
	struct module *module; /* it */
	struct assign give;    /* for it */
};

static inline struct pprof_mapping *job_mapping(
	const struct job *j, uint32_t location)
{
	struct pprof *p = j->f->p;

	return &p->mappings[p->locations[location].mapping - 1];
}

/* Look up n of the locations, all in one file. What is wrong with it is said,
 * in the profile too if it cost its lines. 0 or -ENOMEM. */
int job_file(struct job *j, const uint32_t *from, size_t n);

#endif
