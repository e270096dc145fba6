/*
 * jumps.c - siglongjmp out of a handler.
 *
 * If what it interrupted was a hook of ours, nobody else would notice that the
 * hook will not end, and its thread would be taken to be inside it for ever.
 * The same goes for a change of the thread's labels.
 *
 * And if it runs on an alternate stack: while such a handler runs, the signals
 * that ask us for something wait (sigaction.c). libc's siglongjmp restores the
 * mask first and leaves the stack then: in between, a timer's signal that has
 * waited would be put below the frames of the handler, and two do not fit into
 * 8 KiB. So it is taken off the queue, and the timer's next expiry put off
 * until libc has left the stack. What they stood for has not been booked, and
 * is charged when the thread ends.
 *
 * Otherwise nothing is done.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <setjmp.h>
#include <signal.h>

#include "altstack.h"
#include "arch.h"
#include "heap.h"
#include "lifecycle.h"
#include "real.h"
#include "signal_uses.h"
#include "sys.h"
#include "timers.h"
#include "user_labels.h"

/* What _FORTIFY_SOURCE makes of the others. */
_Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value);

static PP_COLD void no_tick(void)
{
	static const struct timespec now = { 0, 0 };
	int sig = signal_of_timers();
	sys_sigset only;

	if (sig <= 0 || !lifecycle_is_ours())
		return;
	timers_thread_postpone();
	only = UINT64_C(1) << (sig - 1);
	(void)sys_call4(SYS_rt_sigtimedwait, &only, NULL, &now, sizeof(only));
}

/* Is the address on the alternate stack, whoever has set it? It may lie in the
 * middle of another. */
static bool on_altstack(uint64_t address)
{
	stack_t now = { .ss_flags = SS_DISABLE };

	if (altstack_holds(address))
		return true;
	(void)sys_call2(SYS_sigaltstack, NULL, &now);
	return !(now.ss_flags & SS_DISABLE) &&
	       address - (uintptr_t)now.ss_sp < now.ss_size;
}

static PP_COLD void leave_hook(uint64_t sp)
{
	heap_jumps();
	/* A vfork child jumps for itself. */
	if (!lifecycle_is_ours() || on_altstack(sp))
		return;
	if (thread_state.in_hook)
		thread_jumps(&thread_state, sp);
	user_labels_jumps(sp);
}

static inline bool may_leave_hook(void)
{
	return thread_state.in_hook || thread_state.labels_frame ||
	       thread_state.heap_until > HEAP_UNTIL_MAX;
}

#define JUMP(name)                                                             \
	PP_EXPORT void name(struct __jmp_buf_tag env[1], int value)            \
	{                                                                      \
		if (pp_unlikely(may_leave_hook()))                             \
			leave_hook(arch_jump_sp(env->__jmpbuf));               \
		if (env->__mask_was_saved &&                                   \
			altstack_holds((uintptr_t)__builtin_frame_address(0))) \
			no_tick();                                             \
		real.name(env, value);                                         \
		__builtin_unreachable();                                       \
	}

JUMP(siglongjmp)
JUMP(longjmp)
JUMP(_longjmp)
JUMP(__longjmp_chk)
