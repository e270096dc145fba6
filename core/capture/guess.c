/*
 * guess.c - callers where unwind information is missing or wrong. Context:
 * PP_ANY.
 *
 * Missing: generated code, hand-written assembly, .init and .fini. A candidate
 * is believed if a call instruction precedes it, if that call, where it is a
 * direct one, goes to this code, and if it lies in a known executable segment
 * or, in generated code, near by. What was found like that is shown as truth
 * only if the walk goes on to known code (unwind.c).
 *
 * Wrong: some arithmetic of libc pushes registers and does not say so; longjmp
 * and its like describe where they are going to.
 */
#include "pp.h"

#include "cfi.h"
#include "code_gate.h"
#include "find_module.h"
#include "unwind_priv.h"
#include "unwind_x86_64.h"

#define GUESS_FRAME_LIMIT (UINT64_C(1) << 20) /* largest guessed frame */
#define FUNCTION_LIMIT (UINT64_C(1) << 18)    /* largest guessed function */
#define NEAR_LIMIT (UINT64_C(32) << 20)	      /* extent of generated code */
#define REPAIR_WORDS 12u

/* The eight bytes before pc; zeros for those on a page that is not there. */
static bool code_before(struct walk *w, uint64_t pc, uint64_t *ret)
{
	unsigned in_page = pc % PP_PAGE;

	if (pc < PP_PAGE || pc >= SAFE_READ_LIMIT)
		return false;
	if (safe_read_unaligned(&w->mem, pc - 8, ret))
		return true;
	if (in_page == 0 || in_page >= 8 ||
		!safe_read(&w->mem, pc - in_page, ret))
		return false;
	*ret <<= 8 * (8 - in_page);
	return true;
}

bool guess_follows_call(struct walk *w, uint64_t pc)
{
	uint64_t before;

	return code_before(w, pc, &before) && ends_in_call(before);
}

bool guess_in_known_code(uint64_t pc)
{
	struct segment seg;

	return find_segment(pc - 1, true, &seg);
}

/* A stub that jumps on to wherever its slot says: the call may have been meant
 * for any code. */
static bool is_stub(struct walk *w, uint64_t pc)
{
	uint64_t code;

	return guess_in_known_code(pc + 1) &&
	       safe_read_unaligned(&w->mem, pc, &code) && is_plt_stub(code);
}

/* Can the call before `ra` have come to w->pc? */
static bool call_leads_here(struct walk *w, uint64_t ra)
{
	uint64_t before, target;

	if (!code_before(w, ra, &before) || !ends_in_call(before))
		return false;
	target = direct_call_target(before, ra);
	return !target || w->pc - target < FUNCTION_LIMIT || is_stub(w, target);
}

static bool is_near(const struct walk *w, uint64_t pc)
{
	return pc - w->pc + NEAR_LIMIT < 2 * NEAR_LIMIT;
}

static bool is_caller(struct walk *w, uint64_t ra)
{
	return (guess_in_known_code(ra) || is_near(w, ra)) &&
	       call_leads_here(w, ra);
}

static bool accept(struct walk *w, uint64_t pc, uint64_t sp, uint64_t rbp)
{
	w->pc = pc;
	w->sp = sp;
	w->rbp = rbp;
	w->rbx_known = false;
	w->exact = false;
	w->guessed = true;
	w->called_sp = 0;
	w->regs = NULL;
	w->ucontext = 0;
	return true;
}

/* At its first instruction, or without a frame of its own: the return address
 * is on top. After "push %rbp" it is one below. */
static bool guess_top(struct walk *w)
{
	uint64_t word;

	if (!safe_read(&w->mem, w->sp, &word))
		return false;
	if (is_caller(w, word))
		return accept(w, word, w->sp + 8, w->rbp);
	if (word != w->rbp || !safe_read(&w->mem, w->sp + 8, &word) ||
		!is_caller(w, word))
		return false;
	return accept(w, word, w->sp + 16, w->rbp);
}

/* The pair {caller's rbp, return address} at rbp. The saved rbp can be
 * anything: the caller need not keep frame pointers. But if the return address
 * is itself in generated code, then it must be the next of a chain. */
static bool guess_frame_pointer(struct walk *w)
{
	uint64_t rbp, ra;

	if (!w->rbp_known || w->rbp % 8 || w->rbp < w->sp ||
		w->rbp - w->sp > GUESS_FRAME_LIMIT || w->rbp + 16 > w->top)
		return false;
	if (!safe_read(&w->mem, w->rbp, &rbp) ||
		!safe_read(&w->mem, w->rbp + 8, &ra) || !is_caller(w, ra))
		return false;
	if (!guess_in_known_code(ra) && (rbp <= w->rbp || rbp % 8))
		return false;
	return accept(w, ra, w->rbp + 16, rbp);
}

/* Is there what looks like a return address into generated code below rbp?
 * Then rbp may be that caller's, and its frame would be left out. */
static bool hides_a_caller(struct walk *w)
{
	uint64_t end = PP_MIN(w->rbp, w->sp + PP_PAGE), word;

	for (uint64_t at = w->sp; w->rbp_known && at < end; at += 8)
		if (safe_read(&w->mem, at, &word) && is_near(w, word) &&
			guess_follows_call(w, word))
			return true;
	return false;
}

static bool guess(struct walk *w, bool generated)
{
	bool innermost = w->regs || w->ucontext;

	if (innermost && w->exact && guess_top(w))
		return true;
	if (generated && hides_a_caller(w))
		return false;
	return guess_frame_pointer(w);
}

PP_COLD bool guess_step(struct walk *w, bool generated)
{
	bool found;

	if (w->sp % 8 || !code_gate_enter())
		return false;
	found = guess(w, generated);
	code_gate_leave();
	return found;
}

/* --- Repair --- */

/* The first byte of the function that unwind information gives for pc. */
static uint64_t function_start(uint64_t pc)
{
	struct cfi_source source;
	struct segment seg;

	if (!find_segment(pc, true, &seg))
		return 0;
	find_cfi_source(&seg.object, &source);
	return cfi_function_start(&source, pc);
}

/* With this rbp, does the frame's rule lead to a caller? */
static bool rbp_fits(struct walk *w, rule_t rule, uint64_t rbp)
{
	uint64_t cfa = rbp + (uint64_t)rule_offset(rule), ra;

	return cfa % 8 == 0 && cfa > w->sp && cfa <= w->top &&
	       safe_read(&w->mem, cfa - 8, &ra) && guess_in_known_code(ra) &&
	       guess_follows_call(w, ra);
}

/* The repaired frame's rbp: one of the words its callee had pushed, if the
 * frame needs it to be found at all. */
static void find_rbp(struct walk *w, uint64_t from)
{
	rule_t rule = unwind_rule_at(w, w->pc - 1);
	uint64_t word = w->rbp;

	w->rbp_known = false;
	if (!rule_is_by_rbp(rule))
		return;
	for (uint64_t at = from; at < w->sp; at += 8) {
		if (rbp_fits(w, rule, word)) {
			w->rbp = word;
			w->rbp_known = true;
			return;
		}
		if (!safe_read(&w->mem, at, &word))
			return;
	}
}

/* The caller of the function that starts at `start`, from the words at
 * `from`. */
static bool find_caller_of(struct walk *w, uint64_t start, uint64_t from)
{
	uint64_t word, before;

	for (unsigned i = 0; start && i < REPAIR_WORDS; i++) {
		uint64_t at = from + 8 * i;

		if (at + 8 > w->top || !safe_read(&w->mem, at, &word))
			return false;
		if (!guess_in_known_code(word) ||
			!code_before(w, word, &before) ||
			direct_call_target(before, word) != start)
			continue;
		(void)accept(w, word, at + 8, w->rbp);
		w->guessed = false; /* this call went to that function */
		find_rbp(w, from);
		return true;
	}
	return false;
}

PP_COLD bool guess_repair(struct walk *w)
{
	uint64_t from = w->called_sp;
	bool found;

	if (!from || !code_gate_enter())
		return false;
	w->called_sp = 0;
	found = find_caller_of(w, function_start(w->called_pc), from);
	code_gate_leave();
	return found;
}

/* --- A frame pointer that is not known --- */

#define SEARCH_BYTES (UINT64_C(64) << 10)

/* Does the saved rbp below the return address at `at` suit that caller? Only a
 * caller that is found by rbp itself tells. */
static bool suits_caller(struct walk *w, uint64_t at, uint64_t ra)
{
	rule_t rule = unwind_rule_at(w, ra - 1);
	uint64_t saved;

	if (!rule_is_by_rbp(rule))
		return rule_kind(rule) != RULE_NO_INFO &&
		       rule_kind(rule) != RULE_UNKNOWN;
	return safe_read(&w->mem, at - 8, &saved) && saved > at &&
	       saved - at < FRAME_LIMIT && rbp_fits(w, rule, saved);
}

/* The call before ra went to `start`, or nobody knows where. */
static bool may_have_called(struct walk *w, uint64_t ra, uint64_t start)
{
	uint64_t before, target;

	if (!code_before(w, ra, &before) || !ends_in_call(before))
		return false;
	target = direct_call_target(before, ra);
	return !target || target == start || is_stub(w, target);
}

static bool search_caller(struct walk *w, rule_t rule, uint64_t start)
{
	uint64_t end = PP_MIN(w->top, w->sp + SEARCH_BYTES), word;

	for (uint64_t at = w->sp + 8; start && at < end; at += 8) {
		if (!safe_read(&w->mem, at, &word))
			return false;
		if (!guess_in_known_code(word) ||
			!may_have_called(w, word, start) ||
			!suits_caller(w, at, word))
			continue;
		w->rbp = at + 8 - (uint64_t)rule_offset(rule);
		w->rbp_known = true;
		return true;
	}
	return false;
}

PP_COLD bool guess_frame_pointer_of(struct walk *w, rule_t rule)
{
	bool found;

	if (w->sp % 8 || !code_gate_enter())
		return false;
	found = search_caller(w, rule, function_start(w->pc - !w->exact));
	code_gate_leave();
	return found;
}
