/*
 * jumps.c - siglongjmp out of a handler that runs on an alternate stack.
 *
 * While such a handler runs, the signals that ask us for something wait
 * (sigaction.c). libc's siglongjmp restores the mask first and leaves the stack
 * then: in between, a timer's signal that has waited would be put below the
 * frames of the handler, and two do not fit into 8 KiB. So it is taken off the
 * queue. What it stood for has not been booked, and is charged when the thread
 * ends. A tick in the microsecond until libc has left the stack is not helped.
 *
 * Without a mask to restore or an alternate stack nothing is done.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <setjmp.h>

#include "altstack.h"
#include "lifecycle.h"
#include "real.h"
#include "signal_uses.h"
#include "sys.h"

/* What _FORTIFY_SOURCE makes of the others. */
_Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value);

static PP_COLD void drop_tick(void)
{
	static const struct timespec now = { 0, 0 };
	int sig = signal_of_timers();
	sys_sigset only;

	if (sig <= 0 || !lifecycle_is_ours())
		return;
	only = UINT64_C(1) << (sig - 1);
	(void)sys_call4(SYS_rt_sigtimedwait, &only, NULL, &now, sizeof(only));
}

#define JUMP(name)                                                             \
	PP_EXPORT void name(struct __jmp_buf_tag env[1], int value)            \
	{                                                                      \
		if (env->__mask_was_saved &&                                   \
			altstack_holds((uintptr_t)__builtin_frame_address(0))) \
			drop_tick();                                           \
		real.name(env, value);                                         \
		__builtin_unreachable();                                       \
	}

JUMP(siglongjmp)
JUMP(longjmp)
JUMP(_longjmp)
JUMP(__longjmp_chk)
