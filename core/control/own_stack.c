/*
 * own_stack.c - see own_stack.h. Context: PP_ANY.
 */
#include "pp.h"

#include "own_stack.h"
#include "sys.h"

/* `extra` bytes above the stack are the caller's (a thread's TLS block). */
void *own_stack_map(size_t extra, void **ret_top)
{
	char *base = sys_map_pages(OWN_STACK_BYTES + extra);

	if (!base)
		return NULL;
	(void)sys_mprotect(
		base, PP_PAGE, PROT_NONE); /* a guard, if it can be */
	*ret_top = base + OWN_STACK_BYTES;
	return base;
}

void own_stack_run(void (*fn)(void *), void *arg)
{
	void *top, *base = own_stack_map(0, &top);

	if (!base) {
		fn(arg);
		return;
	}
	arch_call_on_stack(top, fn, arg);
	(void)sys_munmap(base, OWN_STACK_BYTES);
}
