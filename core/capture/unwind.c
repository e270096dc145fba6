/*
 * unwind.c - walk a stack frame by frame; see unwind.h. Context: PP_ANY.
 *
 * The frames that compilers make are walked in registers; all others by
 * unwind_step.c and guess.c.
 */
#include "pp.h"

#include "code_gate.h"
#include "find_module.h"
#include "unwind_priv.h"

/* A thread or coroutine whose creator put a null return address and a null
 * frame pointer at its start, as the ABI asks of the outermost frame. Only
 * after a step by unwind information: a guess that reads zeros is no proof. */
static bool at_null_end(const struct walk *w)
{
	return w->pc == 0 && !w->guessed && !w->exact &&
	       (!w->rbp_known || w->rbp == 0);
}

/* A register saved at CFA - 8 * (n + 1), or not at all; *from becomes where it
 * was. False if it is not where a load needs no probe. */
static inline bool plain_restore(const struct safe_reader *mem, rule_t rule,
	unsigned shift, unsigned bits, uint64_t cfa, uint64_t *reg,
	uint64_t *from)
{
	uint64_t field = rule >> shift & ((UINT64_C(4) << bits) - 1);
	uint64_t at = cfa - 8 - (field >> 2) * 8;

	if ((field & 3) == SAVED_SAME)
		return true;
	if ((field & 3) != SAVED_CFA || at - mem->lo >= mem->span)
		return false;
	*reg = *(const volatile uint64_t *)at;
	*from = at;
	return true;
}

/* What the step from this frame depends on: its return address and, if the CFA
 * is found by it, rbp. `from` 0: rbp is the one the walk began with. */
static PP_NOINLINE void log_plain(struct safe_log *log, rule_t rule,
	uint64_t cfa, uint64_t from, uint64_t rbp)
{
	if (rule_reg(rule) == ARCH_REG_RBP) {
		if (from)
			safe_log_add(log, from, rbp);
		else
			log->uses_rbp = true;
	}
	safe_log_add(log, cfa - 8, *(const volatile uint64_t *)(cfa - 8));
}

/*
 * The frames that compilers make, inside known bounds, in registers: twice as
 * fast as the general case, which carries on with whatever this leaves. Gives
 * up before it has changed anything of a frame. Returns the new
 * n.
 */
static unsigned walk_plain(
	struct walk *w, frame_t *frames, unsigned n, unsigned most)
{
	const struct safe_reader mem = w->mem;
	uint64_t pc = w->pc, sp = w->sp, rbp = w->rbp, rbx = w->rbx;
	struct rule_table *rules = rules_table_now();
	uint64_t rbp_from = 0, unused;
	unsigned start = n;

	while (rules && n < most && pc - 1 < SAFE_READ_LIMIT) {
		rule_t rule = rules_get_in(rules, pc - 1, w->generation);
		uint64_t cfa = (uint64_t)rule_offset(rule), bp = rbp, bx = rbx;
		uint64_t bp_from = rbp_from;

		if ((rule & 0xff) == (RULE_REG | ARCH_REG_RSP << 4))
			cfa += sp;
		else if ((rule & 0xff) == (RULE_REG | ARCH_REG_RBP << 4))
			cfa += rbp;
		else
			break;
		if (cfa % 8 || cfa <= sp || cfa > w->top ||
			cfa - sp > FRAME_LIMIT ||
			!plain_restore(&mem, rule, RULE_RBP_SHIFT,
				RULE_RBP_BITS, cfa, &bp, &bp_from) ||
			!plain_restore(&mem, rule, RULE_RBX_SHIFT,
				RULE_RBX_BITS, cfa, &bx, &unused))
			break;
		if (pp_unlikely(mem.log != NULL))
			log_plain(mem.log, rule, cfa, rbp_from, rbp);
		frames[n++] = frame_make(pc, false, rule_module(rule));
		pc = *(const volatile uint64_t *)(cfa - 8);
		sp = cfa;
		rbp = bp;
		rbp_from = bp_from;
		rbx = bx;
	}
	if (n == start)
		return n;
	w->pc = pc;
	w->sp = sp;
	w->rbp = rbp;
	w->rbx = rbx;
	w->regs = NULL;
	w->ucontext = 0;
	w->guessed = false;
	w->called_sp = 0;
	return n;
}

static inline bool is_plain(const struct walk *w)
{
	return w->mem.span && !w->exact && !w->planted && w->rbp_known;
}

/* Can there be a frame here at all? A return address outside every known
 * segment may be in generated code, but then there is a call before it. */
static inline bool is_believable(struct walk *w, rule_t rule)
{
	return pp_likely(rule_kind(rule) != RULE_UNKNOWN) || w->exact ||
	       guess_follows_call(w, w->pc);
}

enum next { NEXT_CALLER, NEXT_START, NEXT_NONE };

/* Where a planted frame (a coroutine's, whose first return address its creator
 * wrote) has no caller, it is the start. */
static PP_COLD enum next leave_planted(struct walk *w, rule_t rule)
{
	if (!unwind_step(w, rule) || !guess_in_known_code(w->pc) ||
		!guess_follows_call(w, w->pc))
		return NEXT_START;
	w->planted = false;
	return NEXT_CALLER;
}

/* One frame of any kind: writes it, counts it and steps to its caller. */
static enum next walk_one(
	struct walk *w, frame_t *frames, unsigned *n, unsigned *sure)
{
	rule_t rule = unwind_rule_here(w);

	if (pp_unlikely(*n && !is_believable(w, rule))) {
		unwind_break_log(w);
		if (!guess_repair(w))
			return NEXT_NONE;
		rule = unwind_rule_here(w);
	}
	frames[(*n)++] = frame_make(w->pc, w->exact, rule_module(rule));
	/* Callers in generated code count once known code shows that they
	 * were callers. */
	if (pp_likely(rule_kind(rule) != RULE_UNKNOWN) || *n == 1)
		*sure = *n;
	if (rule_kind(rule) == RULE_END)
		return NEXT_START;
	if (pp_unlikely(w->planted)) {
		unwind_break_log(w);
		return leave_planted(w, rule);
	}
	return unwind_step(w, rule) ? NEXT_CALLER : NEXT_NONE;
}

/* pc is no address of code. */
static PP_COLD bool ends_at_null(struct walk *w, enum unwind_end *ret_end)
{
	unwind_break_log(w);
	if (guess_repair(w))
		return false;
	if (at_null_end(w))
		*ret_end = UNWIND_COMPLETE;
	return true;
}

/* Returns how many frames can be shown. */
static unsigned walk(struct walk *w, frame_t *frames, unsigned most,
	enum unwind_end *ret_end)
{
	unsigned n = 0, sure = 0;

	*ret_end = UNWIND_TRUNCATED;
	for (;;) {
		unsigned before = n;

		if (is_plain(w))
			n = walk_plain(w, frames, n, most);
		if (n > before)
			sure = n;
		if (n && pp_unlikely(w->pc - 1 >= SAFE_READ_LIMIT) &&
			ends_at_null(w, ret_end))
			return sure;
		if (n == most) {
			*ret_end = UNWIND_DEPTH;
			return n;
		}
		switch (walk_one(w, frames, &n, &sure)) {
		case NEXT_START:
			*ret_end = UNWIND_COMPLETE;
			return n;
		case NEXT_NONE:
			return sure;
		case NEXT_CALLER:
			break;
		}
	}
}

/* Everything but the registers that are known. */
static void walk_begin(struct walk *w, struct session *s, uint64_t pc,
	uint64_t sp, struct unwind_bounds bounds)
{
	if (pp_unlikely(!rules_table_now()))
		(void)rules_prepare();
	w->s = s;
	w->pc = pc & FRAME_PC_MASK;
	w->sp = sp;
	w->rbp = w->rbx = 0;
	w->rbp_known = w->rbx_known = false;
	w->guessed = w->planted = false;
	w->regs = NULL;
	w->ucontext = 0;
	w->bounds = bounds;
	safe_read_init(&w->mem);
	w->generation = rules_generation();
	w->misses = w->errors = 0;
	w->called_pc = w->called_sp = 0;
	unwind_enter_stack(w);
}

static void count_work(const struct walk *w)
{
	if (!w->s || w->misses + w->mem.probes == 0)
		return;
	session_count(w->s, STAT_RULE_MISSES, w->misses);
	session_count(w->s, STAT_RULE_ERRORS, w->errors);
	session_count(w->s, STAT_PROBES, w->mem.probes);
}

unsigned unwind_logged(struct session *s, const struct arch_regs *regs,
	bool exact, struct unwind_bounds bounds, struct safe_log *log,
	frame_t *frames, unsigned most, enum unwind_end *ret_end)
{
	struct walk w;
	unsigned n;

	walk_begin(&w, s, regs->r[ARCH_REG_PC], regs->r[ARCH_REG_RSP], bounds);
	w.rbp = regs->r[ARCH_REG_RBP];
	w.rbx = regs->r[ARCH_REG_RBX];
	w.rbp_known = w.rbx_known = true;
	w.exact = exact;
	w.regs = regs;
	w.mem.log = log;
	n = walk(&w, frames, most, ret_end);
	count_work(&w);
	return n;
}

unsigned unwind_from(struct session *s, uint64_t pc, uint64_t sp,
	frame_t *frames, unsigned most, enum unwind_end *ret_end)
{
	struct unwind_bounds unknown = { 0, 0 };
	struct walk w;
	unsigned n;

	walk_begin(&w, s, pc, sp, unknown);
	w.exact = true;
	n = walk(&w, frames, most, ret_end);
	count_work(&w);
	return n;
}

unsigned unwind(struct session *s, const struct arch_regs *regs, bool exact,
	struct unwind_bounds bounds, frame_t *frames, unsigned most,
	enum unwind_end *ret_end)
{
	return unwind_logged(
		s, regs, exact, bounds, NULL, frames, most, ret_end);
}

uint32_t unwind_generation(void)
{
	return rules_generation();
}

frame_t unwind_frame_of(struct session *s, uint64_t pc, bool exact)
{
	uint32_t generation = rules_generation();
	uint64_t addr = (pc & FRAME_PC_MASK) - !exact;
	struct segment seg;
	unsigned instance = 0;

	if (code_gate_enter()) {
		if (find_segment(addr, true, &seg))
			instance = find_instance(s, &seg, generation);
		code_gate_leave();
	}
	return frame_make(pc, exact, instance);
}

void unwind_start(void)
{
	find_module_start();
}

void unwind_invalidate(void)
{
	find_module_invalidate();
	rules_invalidate();
}
