/*
 * own_table.c - see own_table.h. Context: PP_ANY.
 */
#include "pp.h"

#include <sched.h>

#include "directory.h"
#include "own_table.h"
#include "sys.h"

#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9 */
#endif
#define UNSHARE_TABLE (1u << 1) /* CLOSE_RANGE_UNSHARE */

/* Before Linux 5.9. */
static void close_copies(int first)
{
	struct directory d;
	const char *name;

	if (directory_open(&d, "/proc/thread-self/fd") != 0)
		return;
	while ((name = directory_next(&d))) {
		int fd = 0;

		for (; *name >= '0' && *name <= '9'; name++)
			fd = fd * 10 + (*name - '0');
		if (!*name && fd >= first && fd != d.file.fd)
			(void)sys_close(fd);
	}
	directory_close(&d);
}

int own_table_take(int first)
{
	int err;

	/* Nothing is copied that is then closed: that would tell a network
	 * file system to write back what the host has open. */
	if (sys_call3(SYS_close_range, first, ~0u, UNSHARE_TABLE) == 0)
		return 0;
	err = (int)sys_call1(SYS_unshare, CLONE_FILES);
	if (!err)
		close_copies(first);
	return err;
}
