/*
 * owner.c - see owner.h.
 */
#include "pp.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner.h"
#include "say.h"

/* By its effective ids: it creates files with these. */
static bool read_ids(pid_t pid, struct owner *ret)
{
	char path[64], line[512];
	unsigned found = 0, id;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Uid: %*u %u", &id) == 1) {
			ret->uid = id;
			found |= 1;
		} else if (sscanf(line, "Gid: %*u %u", &id) == 1) {
			ret->gid = id;
			found |= 2;
		}
	}
	if (f)
		(void)fclose(f);
	return found == 3;
}

static bool is_same_place(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 &&
	       of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* By a descriptor, which helpers of ours inherit: without our rights
 * /proc/PID/root may be closed to us. */
static void find_root(pid_t pid, char ret_root[PATH_MAX])
{
	char root[64], space[64];
	int fd;

	ret_root[0] = '\0';
	(void)snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	(void)snprintf(space, sizeof(space), "/proc/%d/ns/mnt", (int)pid);
	if (is_same_place(root, "/") &&
		is_same_place(space, "/proc/self/ns/mnt"))
		return;
	fd = open(root, O_PATH | O_DIRECTORY);
	if (fd >= 0)
		(void)snprintf(ret_root, PATH_MAX, "/proc/self/fd/%d", fd);
}

bool owner_read(pid_t pid, struct owner *ret)
{
	if (!read_ids(pid, ret))
		return false;
	find_root(pid, ret->root);
	return true;
}

bool owner_become(const struct owner *o)
{
	if (geteuid() == o->uid || geteuid() != 0)
		return true; /* no more rights than it has */
	if (setgroups(0, NULL) == 0 && setresgid(o->gid, o->gid, o->gid) == 0 &&
		setresuid(o->uid, o->uid, o->uid) == 0)
		return true;
	say("cannot take the rights of user %u, whose process it is: %s",
		(unsigned)o->uid, strerror(errno));
	return false;
}
