/*
 * owner.h - the files that another process says it has written.
 *
 * What a process says may be a lie, and root may ask processes of anybody. So
 * its files are read and removed with the rights of the process, not with ours,
 * and where it sees them: its root may be another directory.
 */
#ifndef OWNER_H
#define OWNER_H

#include <limits.h>
#include <sys/types.h>

#include "pp.h"

struct owner {
	uid_t uid;
	gid_t gid;
	char root[PATH_MAX]; /* what its paths begin with: "" if as ours */
};

/* Who is it? To be asked first. False if it has ended. */
bool owner_read(pid_t pid, struct owner *ret) PP_NORMAL;

/* Give up what rights we have beyond its own, for good. False, after saying so,
 * if that cannot be done: then leave its files alone. */
bool owner_become(const struct owner *o) PP_NORMAL;

#endif
