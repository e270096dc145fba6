/*
 * asleep.h - the stack of another thread that sleeps in the kernel, read
 * without waking it.
 *
 * A signal would be simpler, but a handler ends epoll_wait, poll, nanosleep and
 * others with EINTR, SA_RESTART or not, and so does a stop by ptrace of some.
 * /proc/self/task/TID/syscall tells where such a thread left user space and
 * its stack pointer; the rest is on its stack. That it slept all the while is
 * proved by its CPU clock, which runs as soon as the thread does.
 *
 * The registers it sleeps with are not told. So a function that is found by a
 * frame pointer, right above a call into the kernel that kept none, is left by
 * the return address which a call of it has put on the stack: guess.h.
 *
 * Context: PP_ANY. Needs procfs, and a thread of our own process.
 */
#ifndef ASLEEP_H
#define ASLEEP_H

#include "pp.h"

#include "frame.h"
#include "session.h"
#include "unwind.h"

#define ASLEEP_NO_CALL (-1) /* a page fault, a stop */

struct asleep {
	uint32_t tid;
	char state;	  /* as in /proc/TID/stat: S, D, T, ... */
	int64_t call;	  /* number of the system call, or ASLEEP_NO_CALL */
	uint64_t args[6]; /* of the call */
	uint64_t sp, pc;
	uint64_t clock_ns; /* its CPU clock */
};

/*
 * Where does the thread sleep? 0; -EBUSY if it runs or is ready to; -ESRCH if
 * it has ended; -errno where /proc does not tell. `state` is set in any case
 * where it could be read, else 0.
 */
int asleep_read(uint32_t tid, struct asleep *ret) PP_ANY;

/* Has it slept ever since it was read? */
bool asleep_still(const struct asleep *a) PP_ANY;

/*
 * Its frames, as unwind() gives them. Returns their number; 0 if the thread
 * did not sleep all the while: then what was read is worth nothing.
 */
unsigned asleep_unwind(struct session *s, const struct asleep *a,
	frame_t *frames, unsigned most, enum unwind_end *ret_end) PP_ANY;

#endif
