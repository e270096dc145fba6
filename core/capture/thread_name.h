/*
 * thread_name.h - the name that a thread's CPU samples carry.
 *
 * To ask the kernel at each sample costs a good part of it, where the program
 * has had the processor's caches for itself. So the name is kept with the
 * thread, until the program is seen to name a thread: by pthread_setname_np(),
 * or by libc's prctl() or syscall(). Who writes to /proc/PID/task/TID/comm, or
 * makes a system call of its own, is not seen: a kept name serves
 * THREAD_NAME_USES times.
 */
#ifndef THREAD_NAME_H
#define THREAD_NAME_H

#include "pp.h"

#include "thread_state.h"

#define THREAD_NAME_USES 8u

/* The name of the calling thread, whose state `t` is, zero padded. Context: the
 * handler of CPU ticks, which nothing else on the thread interrupts. */
void thread_name_get(
	struct thread_state *t, char ret[THREAD_NAME_BYTES]) PP_ANY;

/* Some thread may have another name now. */
void thread_name_changed(void) PP_ANY;

#endif
