/*
 * sandbox_inherited.c - a filter that was there before the program was
 * executed: nobody may read it, so a child tries our calls.
 *
 * It has descriptors of its own, and arguments by which no call does anything:
 * what a filter says comes before the kernel looks at them. Nobody but us can
 * wait for it, and no signal tells of its end.
 *
 * Context: PP_NORMAL, in the constructor.
 */
#include "pp.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/wait.h>

#include "sandbox.h"
#include "sandbox_calls.h"
#include "sys.h"

#define STACK 4096u
#define NOT_ONE (-1L) /* no descriptor, address, signal, process, flags */

/* These two end the child; whoever can have neither has no handlers. A thread
 * without handlers in common cannot be made. */
static void try_call(const struct sandbox_call *call)
{
	long a[6] = { NOT_ONE, NOT_ONE, NOT_ONE, NOT_ONE, NOT_ONE, NOT_ONE };

	if (call->number == SYS_rt_sigreturn || call->number == SYS_exit)
		return;
	if (call->value)
		a[call->at] = (long)call->value;
	if (call->number == SYS_clone)
		a[0] &= ~(long)CLONE_SIGHAND;
	(void)arch_syscall6(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void child(void *unused)
{
	sys_sigset old;

	(void)unused;
	sys_block_signals(&old);
	for (size_t i = 0; i < sandbox_calls_count; i++)
		try_call(&sandbox_calls[i]);
}

/*
 * The child shares our memory, and we wait: a copy would take twice as long. No
 * core is dumped of it, wherever cores go: older kernels would end us, too, as
 * one who has the memory. A debugger that follows children does not get to see
 * it.
 */
static long run_child(void)
{
	_Alignas(16) char stack[STACK];
	bool dumps = sys_call1(SYS_prctl, PR_GET_DUMPABLE) == 1;
	long pid;

	if (dumps)
		(void)sys_call2(SYS_prctl, PR_SET_DUMPABLE, 0);
	pid = arch_clone_thread(CLONE_VM | CLONE_VFORK | CLONE_UNTRACED,
		stack + STACK, NULL, NULL, NULL, child, NULL);
	if (dumps)
		(void)sys_call2(SYS_prctl, PR_SET_DUMPABLE, 1);
	return pid;
}

static bool was_ended_by(long pid, int sig)
{
	int status = 0;
	long err;

	do
		err = sys_call4(SYS_wait4, pid, &status, __WCLONE, NULL);
	while (err == -EINTR);
	return err == pid && (status & 0x7f) == sig;
}

/* Where no child can be made, nothing is known: most filters only refuse. */
bool sandbox_is_inherited(void)
{
	long pid;

	if (sys_call1(SYS_prctl, PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		return false;
	pid = run_child();
	return pid > 0 && was_ended_by(pid, SIGSYS);
}
