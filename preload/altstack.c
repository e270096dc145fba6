/*
 * altstack.c - alternate stacks that are too small for our handler.
 *
 * The timers' signal is taken on the thread's alternate stack (the program may
 * have changed to a coroutine's tiny one, or be out of stack). Some programs
 * have one that is just large enough for the handler that they expect never to
 * run. What the kernel writes below the stack pointer is known
 * (AT_MINSIGSTKSZ); our handler takes less than 2 KiB more on it, as whatever
 * needs much changes to a stack of ours. Asked for is twice that, so that
 * SIGSTKSZ (8192) will do where the kernel needs less than 4 KiB. With less
 * the thread has no timer, and its time is charged when it ends.
 *
 * Context: PP_ANY. errno is the real function's.
 */
#include "pp.h"

#include <signal.h>
#include <sys/auxv.h>

#include "altstack.h"
#include "lifecycle.h"
#include "real.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define OUR_NEED 4096u
#define KERNELS_NEED 4096u /* if it does not say: AVX-512 */

static bool is_small(const stack_t *ss)
{
	size_t kernels = getauxval(AT_MINSIGSTKSZ);

	if (ss->ss_flags & SS_DISABLE)
		return false;
	return ss->ss_size < (kernels ? kernels : KERNELS_NEED) + OUR_NEED;
}

/* The calling thread's; survives fork, as the stack does. */
static __thread uint64_t stack_lo,
	stack_bytes __attribute__((tls_model("initial-exec")));

bool altstack_holds(uint64_t address)
{
	return address - stack_lo < stack_bytes;
}

/* As sigaltstack(2), and remember. */
static int set(const stack_t *ss, stack_t *old)
{
	stack_t host = { .ss_flags = SS_DISABLE };
	int ret;

	/* ss and old may be one, and ss anything. */
	if (ss != old) {
		ret = real.sigaltstack(ss, old);
		if (ret == 0)
			host = *ss;
	} else {
		host = *ss;
		ret = real.sigaltstack(ss, old);
	}

	if (ret == 0) {
		stack_lo = (uintptr_t)host.ss_sp;
		stack_bytes = host.ss_flags & SS_DISABLE ? 0 : host.ss_size;
	}
	return ret;
}

/* The timer goes before a small stack comes, and comes after it has gone. */
static int change(const stack_t *ss, stack_t *old)
{
	bool becomes = is_small(ss), was = becomes;
	int ret;

	if (becomes)
		was = lifecycle_untimely(UNTIMELY_STACK, true);
	ret = set(ss, old);
	if (becomes ? ret != 0 && !was : ret == 0)
		(void)lifecycle_untimely(UNTIMELY_STACK, false);
	return ret;
}

PP_EXPORT int sigaltstack(const stack_t *ss, stack_t *old)
{
	if (!ss)
		return real.sigaltstack(ss, old);
	return lifecycle_is_ours() ? change(ss, old) : set(ss, old);
}
