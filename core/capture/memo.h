/*
 * memo.h - the stacks a thread has walked lately, so that recording every
 * allocation need not walk them again.
 *
 * A walk over plain frames is a function of pc, sp and perhaps rbp at its
 * start, of the return addresses, and of those saved rbp that frames are found
 * by (and of the code that is loaded: unwind_generation()). So when these are
 * the same as last time, the stack is. Comparing a word takes a tenth of what a
 * step takes.
 *
 * Only where most walks are repeated, at heap rates up to MEMO_MOST_RATE, and
 * in threads whose end we see.
 * Owner: the thread, in private memory, given back by memo_end_thread().
 * Context: PP_ANY; hooks only, never two at once on a thread.
 */
#ifndef MEMO_H
#define MEMO_H

#include "pp.h"

#include "safe_read.h"
#include "thread_state.h"
#include "unwind.h"

#define MEMO_MOST_RATE 4096u
#define MEMO_WORDS 120u /* a stack that takes more is walked each time */

struct memo {
	uint64_t pc, sp, rbp;
	struct unwind_bounds bounds;
	uint32_t generation;
	uint32_t stack; /* the result; 0 = nothing remembered */
	uint32_t row;	/* of that stack and size class; 0 = none yet */
	uint32_t row_class;
	struct safe_log log;
	struct safe_word words[MEMO_WORDS];
};

/* Where a walk from these registers is remembered, whatever is there now.
 * `site` is the hook's return address, to tell callers apart. NULL: remember
 * nothing. */
struct memo *memo_at(struct thread_state *t, const struct arch_regs *regs,
	uint64_t site) PP_ANY;

/* Would the walk give memo->stack again? */
bool memo_holds(const struct memo *memo, const struct arch_regs *regs,
	struct unwind_bounds bounds) PP_ANY;

/* Begin anew; give the log to the walk. */
struct safe_log *memo_begin(struct memo *memo, const struct arch_regs *regs,
	struct unwind_bounds bounds) PP_ANY;

/* The walk's result; 0 = not to be remembered. */
void memo_finish(struct memo *memo, uint32_t stack) PP_ANY;

/* The thread ends, or has just ended. */
void memo_end_thread(struct thread_state *t) PP_ANY;

#endif
