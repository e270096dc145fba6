/*
 * recover.h - the subcommand `pprofc recover`, and what `pprofc run` needs of
 * it: the profiles of processes that could not write them.
 */
#ifndef RECOVER_H
#define RECOVER_H

#include <sys/types.h>

#include "pp.h"

/* argv[0] is "recover". Returns our exit status. */
int recover_main(int argc, char **argv) PP_NORMAL;

/*
 * After a run: recover what its dead processes have left. Its sessions are
 * those with this status file in their settings, whose name nobody else has.
 * Lines for the summary go to that file. `child` has ended with `wait_status`.
 */
void recover_after_run(
	const char *status_path, pid_t child, int wait_status) PP_NORMAL;

#endif
