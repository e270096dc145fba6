/*
 * unwind_priv.h - the state of one walk, shared by unwind.c (frames with
 * unwind information) and guess.c (frames without, or with wrong one).
 * Context: PP_ANY.
 */
#ifndef UNWIND_PRIV_H
#define UNWIND_PRIV_H

#include "pp.h"

#include "rules.h"
#include "safe_read.h"
#include "unwind.h"

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

/* The rule for the byte at addr, remembered or compiled. */
rule_t unwind_rule_at(struct walk *w, uint64_t addr) PP_ANY;

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

#endif
