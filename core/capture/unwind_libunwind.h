/*
 * unwind_libunwind.h - the same walk by libunwind, for
 * PPROFC_UNWINDER=libunwind.
 *
 * An independent second opinion about the stacks of allocations. For hooks
 * only: libunwind takes locks of its own, so it must never run in a handler.
 * It is given memory and unwind tables by accessors of ours and so calls
 * neither the loader nor malloc.
 *
 * Locking: one walk at a time in the process; who comes second is served by
 * unwind() instead. Forks come between walks: unwind_libunwind_try_hold().
 */
#ifndef UNWIND_LIBUNWIND_H
#define UNWIND_LIBUNWIND_H

#include "pp.h"

#include "unwind.h"

/* Create libunwind's state. From the constructor, if it is the choice; without
 * this call every walk is unwind()'s. */
void unwind_libunwind_start(void) PP_NORMAL;

/* As unwind() with exact = false: regs are those of a hook. Not in a handler;
 * the caller holds thread_state.in_hook. */
unsigned unwind_libunwind(struct session *s, const struct arch_regs *regs,
	struct unwind_bounds bounds, frame_t *frames, unsigned most,
	enum unwind_end *ret_end) PP_ANY;

/* No walk from here on, nor is one under way; false = one is. Around a fork, so
 * that the child finds libunwind's locks free. Then, in both processes: */
bool unwind_libunwind_try_hold(void) PP_ANY;
void unwind_libunwind_release(void) PP_ANY;

#endif
