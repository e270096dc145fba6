/*
 * own_fd.h - a descriptor of ours in a process that may close it under us.
 *
 * A host that closes all descriptors (daemons do) while another thread of it
 * is in code of ours gets the numbers back for files of its own. So we remember
 * which file ours was, and ask before each write and before the close: our
 * bytes must never go into the host's file, nor may that be closed.
 *
 * What remains is the microsecond between the question and the close: Linux has
 * no call that closes a number only if it means a certain file. A thread with a
 * descriptor table of its own has no such gap, so all that writes profiles is
 * one (core/control/helper.c). The session is made and /proc read where a
 * sample comes: in handlers and in hooks, which must not wait for a thread to
 * be given a processor. In an end that is one, the table is soon nobody's.
 *
 * Context: PP_ANY.
 */
#ifndef OWN_FD_H
#define OWN_FD_H

#include <errno.h>

#include "pp.h"

#include "sys.h"

struct own_fd {
	int fd; /* -1: none */
	uint64_t dev, ino;
	uint64_t size;	   /* when it was opened */
	int64_t changed_s; /* its last change before, CLOCK_REALTIME */
	uint32_t uid, mode;
};

static inline void own_fd_none(struct own_fd *f)
{
	*f = (struct own_fd){ .fd = -1 };
}

/* The number still means the file that was opened. */
static inline bool own_fd_is_ours(const struct own_fd *f)
{
	struct stat st;

	return f->fd >= 0 && sys_fstat(f->fd, &st) == 0 &&
	       st.st_dev == f->dev && st.st_ino == f->ino;
}

/* 0, or what close(2) says; -EBADF if it was no longer ours. */
static inline int own_fd_close(struct own_fd *f)
{
	int err = own_fd_is_ours(f) ? sys_close(f->fd) : -EBADF;

	own_fd_none(f);
	return err;
}

/* Is this what the path names? Asked for files that are written to: what was
 * opened by that name is ours, unless the number was taken from us at once. */
static inline bool own_fd_has_name(
	const struct own_fd *f, const char *path, int flags)
{
	int follow = flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
	struct stat st;

	return sys_call4(SYS_newfstatat, AT_FDCWD, path, &st, follow) == 0 &&
	       st.st_dev == f->dev && st.st_ino == f->ino;
}

/* Open whatever it is, never waiting for it. 0 or -errno; -EBADF if the host
 * has taken the number: then nothing is closed. */
static inline int own_fd_open_any(
	struct own_fd *f, const char *path, int flags, int mode)
{
	struct stat st;
	int fd = sys_open(path, flags | O_NONBLOCK | O_NOCTTY, mode);
	int err;

	own_fd_none(f);
	if (fd < 0)
		return fd;
	err = sys_fstat(fd, &st);
	if (err)
		return err;
	*f = (struct own_fd){
		.fd = fd,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.changed_s = st.st_mtim.tv_sec,
		.uid = st.st_uid,
		.mode = st.st_mode,
	};
	if (!(flags & O_CREAT) || own_fd_has_name(f, path, flags))
		return 0;
	own_fd_none(f);
	return -EBADF;
}

/* Open a regular file; -EINVAL for anything else. */
static inline int own_fd_open(
	struct own_fd *f, const char *path, int flags, int mode)
{
	int err = own_fd_open_any(f, path, flags, mode);

	if (err || S_ISREG(f->mode))
		return err;
	(void)own_fd_close(f);
	return -EINVAL;
}

#endif
