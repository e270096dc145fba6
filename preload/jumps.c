/*
 * jumps.c - siglongjmp out of a handler that runs on an alternate stack.
 *
 * While such a handler runs, the signals that ask us for something wait
 * (sigaction.c). libc's siglongjmp restores the mask first and leaves the stack
 * then: in between, a waiting signal would be put below the frames of the
 * handler, and two do not fit into 8 KiB. So the order is turned round: we go
 * to the stack that is jumped to, below the frame that is returned to, where
 * nothing is in use any more; there the real function does the rest.
 *
 * Without a mask to restore, without an alternate stack, or when our thread's
 * stack is another one at the moment, nothing is done.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <setjmp.h>

#include "altstack.h"
#include "arch.h"
#include "jump_hooks.h"
#include "real.h"

/* What _FORTIFY_SOURCE makes of the others. */
_Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value);

/* Where libc keeps the stack pointer in a jmp_buf is as we think. */
static bool is_known;

/* Room for what a leaf function of the host may have there. */
#define RED_ZONE 256u

typedef void jump_fn(struct __jmp_buf_tag *env, int value);

static PP_COLD void leave_stack(
	jump_fn *jump, struct __jmp_buf_tag *env, int value)
{
	uint64_t to = arch_jump_sp(env);

	if (is_known && to % 8 == 0 &&
		altstack_holds((uintptr_t)__builtin_frame_address(0)) &&
		!altstack_holds(to))
		arch_jump_from((to - RED_ZONE) & ~UINT64_C(15), (void *)jump,
			env, value);
}

#define JUMP(name)                                                  \
	PP_EXPORT void name(struct __jmp_buf_tag env[1], int value) \
	{                                                           \
		if (env->__mask_was_saved)                          \
			leave_stack(real.name, env, value);         \
		real.name(env, value);                              \
		__builtin_unreachable();                            \
	}

JUMP(siglongjmp)
JUMP(longjmp)
JUMP(_longjmp)
JUMP(__longjmp_chk)

void jump_hooks_start(void)
{
	const uint64_t here = (uintptr_t)__builtin_frame_address(0);
	sigjmp_buf env;

	/* Nobody jumps back to here. */
	(void)sigsetjmp(env, 0);
	is_known = here - arch_jump_sp(env) + PP_PAGE < 2 * PP_PAGE;
}
