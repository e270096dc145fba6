/*
 * replace.c - see replace.h.
 */
#include "pp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "gzip.h"
#include "pprof.h"
#include "replace.h"

#define GZIP_LEVEL 6
#define TRIES 100

/* The unfinished file, "" if there is none. */
static char unfinished[PATH_MAX];

void replace_abandon(void)
{
	if (unfinished[0])
		(void)unlink(unfinished);
	unfinished[0] = '\0';
}

/* In the same directory, under a name that no pattern for profiles matches and
 * that is short enough wherever the profile's is. */
static int create(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash - path) + 1 : 0;
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0; i++) {
		int n = snprintf(unfinished, sizeof(unfinished),
			"%.*s.pprofc.%d.%d.tmp", dir, path, (int)getpid(), i);

		if (n < 0 || (size_t)n >= sizeof(unfinished)) {
			errno = ENAMETOOLONG;
			break;
		}
		fd = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0666);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0) {
		unfinished[0] = '\0';
		return -errno;
	}
	return fd;
}

static int write_all(void *arg, const void *data, size_t len)
{
	const char *s = data;
	int fd = *(const int *)arg;

	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_gzip(int fd, const struct pprof *p)
{
	struct gzip *g = NULL;
	struct arena arena;
	int err;

	arena_init(&arena);
	err = gzip_begin(&arena, GZIP_LEVEL, write_all, &fd, &g);
	if (!err)
		err = pprof_write(p, gzip_write, g);
	if (!err)
		err = gzip_finish(g);
	arena_free(&arena);
	return err;
}

/* Pieces are small; of an uncompressed profile they go through stdio. */
static int write_stream(void *arg, const void *data, size_t len)
{
	return fwrite(data, 1, len, arg) == len ? 0 : -errno;
}

static int write_plain(int fd, const struct pprof *p)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	int err;

	if (!to)
		return -errno;
	err = pprof_write(p, write_stream, to);
	if (fclose(to) != 0 && !err)
		err = -errno;
	return err;
}

/* The owner if we may; the mode first shut for those who get the file. */
static int like(int fd, const struct stat *was)
{
	struct stat now;

	if (!was)
		return 0;
	if (fstat(fd, &now) != 0)
		return -errno;
	if ((now.st_uid != was->st_uid || now.st_gid != was->st_gid) &&
		fchown(fd, was->st_uid, was->st_gid) != 0 && errno != EPERM)
		return -errno;
	return fchmod(fd, was->st_mode & 0777) != 0 ? -errno : 0;
}

static bool is_same(const char *path, const struct stat *was)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_dev == was->st_dev &&
	       now.st_ino == was->st_ino;
}

/* The unfinished name is that of the old file now; or of one that has taken its
 * place just before: that gets its name back. */
static int check_exchange(
	const char *path, const struct stat *was, bool *ret_gone)
{
	*ret_gone = !is_same(unfinished, was);
	if (*ret_gone && renameat2(AT_FDCWD, unfinished, AT_FDCWD, path,
				 RENAME_EXCHANGE) != 0)
		return -errno;
	replace_abandon();
	return 0;
}

/*
 * Exchanging the two names fails when there is no file to replace any more,
 * with nothing in between. File systems that cannot do so get a test just
 * before the renaming.
 */
static int take_name(const char *path, const struct stat *was, bool *ret_gone)
{
	if (!was)
		return rename(unfinished, path) != 0 ? -errno : 0;
	*ret_gone = !is_same(path, was);
	if (*ret_gone) {
		replace_abandon();
		return 0;
	}
	if (renameat2(AT_FDCWD, unfinished, AT_FDCWD, path, RENAME_EXCHANGE) ==
		0)
		return check_exchange(path, was, ret_gone);
	if (errno == ENOENT) {
		*ret_gone = true;
		replace_abandon();
		return 0;
	}
	return rename(unfinished, path) != 0 ? -errno : 0;
}

static int fill(const char *path, const struct stat *was, bool gzip,
	const struct pprof *p, bool *ret_gone)
{
	int fd = create(path);
	int err;

	if (fd < 0)
		return fd;
	err = like(fd, was);
	if (!err)
		err = gzip ? write_gzip(fd, p) : write_plain(fd, p);
	if (close(fd) != 0 && !err)
		err = -errno;
	return err ? err : take_name(path, was, ret_gone);
}

/* Pipes, terminals, /dev/null are written to. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) &&
	       !S_ISDIR(st.st_mode);
}

static int write_special(const char *path, bool gzip, const struct pprof *p)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	int err;

	if (fd < 0)
		return -errno;
	err = gzip ? write_gzip(fd, p) : write_plain(fd, p);
	if (close(fd) != 0 && !err)
		err = -errno;
	return err;
}

int replace_file(const char *path, const struct stat *was, bool gzip,
	const struct pprof *p, bool *ret_gone)
{
	char real[PATH_MAX];
	int err;

	*ret_gone = false;
	if (!was && is_special(path))
		return write_special(path, gzip, p);
	/* What a link leads to is replaced, not the link. */
	if (realpath(path, real)) {
		path = real;
	} else if (was) {
		*ret_gone = errno == ENOENT;
		return *ret_gone ? 0 : -errno;
	}
	err = fill(path, was, gzip, p, ret_gone);
	if (err)
		replace_abandon();
	unfinished[0] = '\0';
	return err;
}
