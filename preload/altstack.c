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
#include "safe_read.h"

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

static bool read_stack(const stack_t *ss, stack_t *ret)
{
	const uint64_t at = (uintptr_t)ss;
	struct safe_reader r;
	uint64_t flags;

	safe_read_init(&r);
	if (!safe_read_unaligned(&r, at + offsetof(stack_t, ss_flags), &flags))
		return false;
	ret->ss_flags = (int)(uint32_t)flags;
	return safe_read_unaligned(&r, at, (uint64_t *)&ret->ss_sp) &&
	       safe_read_unaligned(&r, at + offsetof(stack_t, ss_size),
		       (uint64_t *)&ret->ss_size);
}

/* The timer goes before a small stack comes, and comes after it has gone.
 * `host` is what ss holds; old may be the same place. */
static int change(const stack_t *ss, stack_t *old, const stack_t *host)
{
	bool becomes = is_small(host), was = becomes;
	int ret;

	if (becomes)
		was = lifecycle_untimely(UNTIMELY_STACK, true);
	ret = real.sigaltstack(ss, old);
	if (ret == 0) {
		stack_lo = (uintptr_t)host->ss_sp;
		stack_bytes = host->ss_flags & SS_DISABLE ? 0 : host->ss_size;
	}
	if (becomes ? ret != 0 && !was : ret == 0)
		(void)lifecycle_untimely(UNTIMELY_STACK, false);
	return ret;
}

PP_EXPORT int sigaltstack(const stack_t *ss, stack_t *old)
{
	stack_t host;

	/* A vfork child's stack is not that of the thread it has its memory
	 * from. What cannot be read is the kernel's to refuse. */
	if (!ss || !lifecycle_is_ours() || !read_stack(ss, &host))
		return real.sigaltstack(ss, old);
	return change(ss, old, &host);
}
