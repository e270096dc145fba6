/*
 * fork.c - fork by way of pthread_atfork: as we register in the constructor,
 * our prepare runs after the host's and our child handler before them.
 *
 * vfork and posix_spawn are left alone: all our hooks and handlers test the pid
 * (lifecycle_is_ours). Children of _Fork and raw clone are detached by the
 * wiped generation word.
 */
#include "pp.h"

#include <pthread.h>

#include "fork_hooks.h"
#include "lifecycle.h"

int fork_hooks_start(void)
{
	return -pthread_atfork(lifecycle_fork_prepare, lifecycle_fork_parent,
		lifecycle_fork_child);
}
