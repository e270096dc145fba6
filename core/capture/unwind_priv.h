/*
 * unwind_priv.h - the state of one walk, shared by unwind.c (the walk),
 * unwind_step.c (frames with unwind information) and guess.c (frames without,
 * or with wrong one). Context: PP_ANY.
 */
#ifndef UNWIND_PRIV_H
#define UNWIND_PRIV_H

#include "pp.h"

#include "rules.h"
#include "safe_read.h"
#include "unwind.h"

#define FRAME_LIMIT (UINT64_C(16) << 20) /* largest believable frame */

struct walk {
	struct session *s;
	uint64_t pc, sp, rbp, rbx;
	bool exact; /* pc is not behind a call */
	bool rbp_known, rbx_known;
	bool guessed; /* this frame was found without unwind information */
	bool planted; /* its return address was not left by a call */
	/* All registers of this frame: the interrupted ones, or in a ucontext
	 * on the stack; else only those above. */
	const struct arch_regs *regs;
	uint64_t ucontext;
	struct unwind_bounds bounds;
	uint64_t top; /* CFAs stay below or at this */
	struct safe_reader mem;
	uint32_t generation;
	unsigned misses, errors;
	/* The interrupted frame that the last step left by rule, for
	 * guess_repair(); called_sp 0 = the last step was another. A frame is
	 * repaired once. */
	uint64_t called_pc, called_sp;
};

/* Only walk_plain() and a proper end keep to what the log can tell. */
static inline void unwind_break_log(struct walk *w)
{
	if (pp_unlikely(w->mem.log != NULL))
		w->mem.log->broken = true;
}

/* The rule for the byte at addr, remembered or compiled. */
rule_t unwind_rule_at(struct walk *w, uint64_t addr) PP_ANY;

/* The rule for this frame. May find that the frame was planted. */
rule_t unwind_rule_here(struct walk *w) PP_ANY;

/* Step to the caller. If that fails the walk is over. */
bool unwind_step(struct walk *w, rule_t rule) PP_ANY;

/* The stack now walked is the one that holds sp. */
void unwind_enter_stack(struct walk *w) PP_ANY;

/* Is there a call instruction before pc? */
bool guess_follows_call(struct walk *w, uint64_t pc) PP_ANY;

/* Is the byte before pc in an executable segment? */
bool guess_in_known_code(uint64_t pc) PP_ANY;

/* Step to the caller of code without unwind information; `generated`: it lies
 * in no known segment either. */
bool guess_step(struct walk *w, bool generated) PP_ANY;

/*
 * The step from an interrupted function (called_pc, called_sp) failed, or gave
 * what cannot be a return address. If the stack there or a little further up
 * holds one that was left by a direct call of just that function, take it.
 * True if so.
 */
bool guess_repair(struct walk *w) PP_ANY;

/*
 * This frame is found by rbp, which is not known: a thread that sleeps does not
 * tell it. Take the next return address up the stack that a call of this
 * function can have left and with which the frame's own words make sense: sets
 * rbp. True if so.
 */
bool guess_frame_pointer_of(struct walk *w, rule_t rule) PP_ANY;

#endif
