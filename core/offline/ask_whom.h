/*
 * ask_whom.h - which thread of another process loses nothing by a signal.
 */
#ifndef ASK_WHOM_H
#define ASK_WHOM_H

#include <sys/types.h>

#include "pp.h"

/* Its pid as it knows itself, in its own PID namespace; 0 if it has ended. */
pid_t whom_pid_inside(pid_t pid) PP_NORMAL;

/*
 * The thread to send `sig` to: best one whose system call the kernel starts
 * again after a handler, then one that runs, then one whose call the library
 * makes again (preload/patient.h). 0 if no thread could take it: the
 * process has no handler for it, so that it would die, or all block it.
 */
pid_t whom_to_signal(pid_t pid, int sig) PP_NORMAL;

#endif
