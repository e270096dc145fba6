/*
 * child.h - run a command so that nobody notices that we stand in between.
 *
 * The command stays in our process group and session: what the terminal sends
 * (^C, ^\, ^Z, hangup) reaches it directly, and we wait. Signals that another
 * process sends to us are passed on. Descriptors and directory are its own.
 */
#ifndef CHILD_H
#define CHILD_H

#include <sys/types.h>

#include "pp.h"

struct child_result {
	int exec_errno; /* not 0: it was not started */
	int wait_status;
	pid_t pid;
};

/*
 * Start argv (as execvp) with our environment and wait for its end. `also` are
 * two more signals to pass on (0 = none). Returns 0 or -errno if there is no
 * child at all. From then on our signals stay blocked: see child_leave().
 */
int child_run(char **argv, const int also[2], struct child_result *ret);

/* End as the command did: with its exit status, or by its signal (but without
 * a core file of ours). */
_Noreturn void child_leave(int wait_status);

#endif
