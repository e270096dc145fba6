/*
 * ask.h - have a running process write profiles.
 *
 * The channel is its session file: there it says which signal it listens to
 * (the one of its CPU timers, which the program cannot see) and which files it
 * has written. The signal goes to a thread that loses nothing by it: one whose
 * system call the kernel starts again.
 */
#ifndef ASK_H
#define ASK_H

#include <sys/types.h>

#include "pp.h"

#include "settings.h"

struct answer {
	/* Empty: none of that kind was written. */
	char paths[PROFILE_KINDS][SETTINGS_PATH_MAX];
};

/*
 * Ask for the kinds of the mask and wait for the answer, `seconds` at most.
 * `names_only`: without the source lines that would come later. False after
 * saying what is wrong.
 */
bool ask(pid_t pid, uint32_t kinds, bool names_only, unsigned seconds,
	struct answer *ret) PP_NORMAL;

#endif
