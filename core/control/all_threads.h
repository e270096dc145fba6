/*
 * all_threads.h - the stacks of all threads at one moment, for the goroutine
 * profile.
 *
 * No thread is stopped or sent anything that could end a system call of its
 * early. Those that sleep are read from outside (asleep.h). Those that run get
 * a timer that has expired already on their own CPU clock: the kernel lets it
 * go off at the next clock tick that finds them running, on their way back to
 * user space, and they walk their own stack. Whoever does neither in time is
 * listed without a stack. Context: PP_ANY.
 */
#ifndef ALL_THREADS_H
#define ALL_THREADS_H

#include <sys/ucontext.h>

#include "pp.h"

#include "session.h"
#include "thread_stacks.h"

/*
 * Collect, in a helper (helper.h), with all signals blocked; takes 100 ms at
 * most, and milliseconds if nobody runs. Returns NULL when memory is refused.
 * The result stays valid until the next call. Locking: the caller's, one at a
 * time.
 */
const struct thread_stacks *all_threads_take(struct session *s) PP_ANY;

/* Which of our timers is one of these, and its handler. */
static inline bool all_threads_asked(uint64_t timer_value)
{
	return (timer_value & (UINT64_C(1) << 31)) != 0;
}
void all_threads_here(
	uint64_t timer_value, const ucontext_t *uc, bool foreign) PP_ANY;

/* A forked child: nothing is being collected. */
void all_threads_reset(void) PP_ANY;

#endif
