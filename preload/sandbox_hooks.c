/*
 * sandbox_hooks.c - a program that gives up system calls by seccomp, or takes
 * them over by system call user dispatch.
 *
 * Afterwards a call of ours could be what ends it. So, before strict mode or a
 * filter that would hurt (sandbox.h) goes in, we finish and are gone: the
 * profiles are written, there is no timer and no handler of ours, and no hook
 * makes a system call any more. If the kernel then refuses, all comes back.
 *
 * The kernel's own interface is reached through libc's prctl() and syscall(),
 * which libseccomp uses, too. By these a thread may also give itself a name:
 * thread_name.h. Context: PP_ANY. errno is the real function's.
 */
#include "pp.h"

#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "exec_env.h"
#include "lifecycle.h"
#include "process.h"
#include "real.h"
#include "sandbox.h"
#include "signal_hooks.h"
#include "symbolizer.h"
#include "sys.h"
#include "thread_name.h"

/* Theirs end in "...", which no hook can pass on. */
int hooked_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
	unsigned long d) __asm__("prctl");
long hooked_syscall(long n, long a, long b, long c, long d, long e) __asm__(
	"syscall");

static bool hurts(unsigned long mode, const void *program)
{
	if (mode == SECCOMP_MODE_STRICT)
		return true;
	/* Without a program it is a question: is there seccomp? */
	return mode == SECCOMP_MODE_FILTER && program && sandbox_hurts(program);
}

/* Where the filter goes along, our constructor must not be: as if the programs
 * that are started were not to be followed. */
static PP_ENTER_NORMAL void leave_next_images(void)
{
	exec_env_start();
}

static uint32_t begin(unsigned long mode, unsigned long program)
{
	uint32_t image = 0;

	if (lifecycle_is_ours()) {
		if (hurts(mode, (const void *)program))
			image = lifecycle_withdraw();
		else if (mode == SECCOMP_MODE_FILTER && program &&
			 sandbox_forbids_orphans((const void *)program))
			symbolizer_forbid();
	}
	if (image) {
		signal_hooks_withdraw();
		leave_next_images();
	}
	return image;
}

static void failed(uint32_t image)
{
	if (!image)
		return;
	lifecycle_return(image);
	signal_hooks_return();
	if (process.settings.follow)
		exec_env_stop();
}

static PP_COLD int by_prctl(int option, unsigned long a, unsigned long b,
	unsigned long c, unsigned long d)
{
	uint32_t image = begin(a, b);
	int ret = real.prctl(option, a, b, c, d);

	if (ret != 0)
		failed(image);
	return ret;
}

/*
 * The thread's system calls become signals of the host's while a byte of its
 * own says so: those of our handler, too, and the one by which it returns. So
 * it has no timer meanwhile.
 */
static PP_COLD int dispatch(int option, unsigned long a, unsigned long b,
	unsigned long c, unsigned long d)
{
	bool on = a != PR_SYS_DISPATCH_OFF, was = false;
	int ret;

	if (!lifecycle_is_ours())
		return real.prctl(option, a, b, c, d);
	if (on)
		was = lifecycle_untimely(UNTIMELY_DISPATCH, true);
	ret = real.prctl(option, a, b, c, d);
	if (on ? ret != 0 && !was : ret == 0)
		(void)lifecycle_untimely(UNTIMELY_DISPATCH, false);
	return ret;
}

static int name_self(int option, unsigned long a, unsigned long b,
	unsigned long c, unsigned long d)
{
	int ret = real.prctl(option, a, b, c, d);

	thread_name_changed();
	return ret;
}

PP_EXPORT int hooked_prctl(int option, unsigned long a, unsigned long b,
	unsigned long c, unsigned long d)
{
	if (option == PR_SET_SECCOMP)
		return by_prctl(option, a, b, c, d);
	if (option == PR_SET_SYSCALL_USER_DISPATCH)
		return dispatch(option, a, b, c, d);
	if (option == PR_SET_NAME)
		return name_self(option, a, b, c, d);
	return real.prctl(option, a, b, c, d);
}

/* seccomp(operation, flags, program): the modes have other numbers here. */
static unsigned long mode_of(long operation)
{
	if (operation == SECCOMP_SET_MODE_STRICT)
		return SECCOMP_MODE_STRICT;
	return operation == SECCOMP_SET_MODE_FILTER ? SECCOMP_MODE_FILTER
						    : SECCOMP_MODE_DISABLED;
}

static PP_COLD long name_by_syscall(
	long n, long a, long b, long c, long d, long e)
{
	long ret = real.syscall(n, a, b, c, d, e);

	thread_name_changed();
	return ret;
}

/* seccomp(2): of filters for all threads, the answer may be a thread that
 * refuses. */
static PP_COLD long by_syscall(long n, long a, long b, long c, long d, long e)
{
	bool new_listener = b & SECCOMP_FILTER_FLAG_NEW_LISTENER;
	uint32_t image;
	long ret;

	if (n == SYS_prctl && a == PR_SET_NAME)
		return name_by_syscall(n, a, b, c, d, e);
	if (n == SYS_prctl)
		return hooked_prctl((int)a, (unsigned long)b, (unsigned long)c,
			(unsigned long)d, (unsigned long)e);
	image = begin(mode_of(a), (unsigned long)c);
	ret = real.syscall(n, a, b, c, d, e);
	if (ret < 0 || (ret > 0 && !new_listener))
		failed(image);
	return ret;
}

static inline bool is_minded(int option)
{
	return option == PR_SET_SECCOMP ||
	       option == PR_SET_SYSCALL_USER_DISPATCH || option == PR_SET_NAME;
}

/* A call at the end is a jump, also in a build that is not optimised. */
#ifdef __clang__
#define PP_JUMPS
#define PP_JUMP __attribute__((musttail)) return
#else
#define PP_JUMPS __attribute__((optimize("O2")))
#define PP_JUMP return
#endif

/*
 * A jump to the real one. A seventh argument lies on the caller's stack, if
 * there is one, and must be left there: copied to where it is, a variable of
 * the caller's, which another thread may be changing, would be set back.
 */
PP_JUMPS PP_EXPORT long hooked_syscall(
	long n, long a, long b, long c, long d, long e)
{
	if (pp_unlikely(
		    n == SYS_seccomp || (n == SYS_prctl && is_minded((int)a))))
		return by_syscall(n, a, b, c, d, e);
	PP_JUMP real.syscall(n, a, b, c, d, e);
}
