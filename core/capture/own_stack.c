/*
 * own_stack.c - see own_stack.h. Context: PP_ANY.
 */
#include "pp.h"

#include "log.h"
#include "own_stack.h"
#include "sys.h"
#include "thread_state.h"

/* `extra` bytes above the stack are the caller's (a thread's TLS block). */
void *own_stack_map(size_t extra, void **ret_top)
{
	char *base = sys_map_pages(OWN_STACK_BYTES + extra);

	if (!base)
		return NULL;
	(void)sys_mprotect(
		base, PP_PAGE, PROT_NONE); /* a guard, if it can be */
	/* Whoever runs here is not in a forked child. */
	(void)sys_madvise(base, OWN_STACK_BYTES + extra, MADV_DONTFORK);
	*ret_top = base + OWN_STACK_BYTES;
	return base;
}

/* May `bytes` more be used of the stack we are on? */
static bool has_room(size_t bytes)
{
	uint64_t sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);

	return sp < thread_state.stack_hi && sp > thread_state.stack_lo &&
	       sp - thread_state.stack_lo > bytes;
}

void own_stack_run(void (*fn)(void *), void *arg)
{
	void *top, *base = own_stack_map(0, &top);

	if (base) {
		arch_call_on_stack(top, fn, arg);
		(void)sys_munmap(base, OWN_STACK_BYTES);
	} else if (has_room(OWN_STACK_NEED)) {
		fn(arg);
	} else {
		log_line("no memory for a stack: a report is left out");
	}
}

void own_stack_run_small(void (*fn)(void *), void *arg, size_t bytes)
{
	if (has_room(bytes))
		fn(arg);
	else
		own_stack_run(fn, arg);
}
