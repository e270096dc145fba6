/*
 * unwind.c - walk a stack by rules; see unwind.h. Context: PP_ANY.
 *
 * Why so careful: values that correct programs leave in rbp are not always what
 * their unwind information says (hand-written arithmetic in libc, epilogues of
 * realigned frames in gcc). So each load is checked, the stack must grow, and a
 * step that is a guess (no unwind information) is believed only if it ends at a
 * call instruction in a known executable segment.
 */
#include "pp.h"

#include "cfi.h"
#include "find_module.h"
#include "unwind_priv.h"
#include "unwind_x86_64.h"

#define FRAME_LIMIT (UINT64_C(16) << 20) /* largest believable frame */

/* The stack now walked is the one that holds sp. Below sp nothing is needed,
 * and of a main thread's stack not even mapped. */
static void enter_stack(struct walk *w)
{
	uint64_t sp = w->sp & ~UINT64_C(7), hi = w->bounds.hi & ~UINT64_C(7);

	w->mem.lo = sp;
	if (sp >= w->bounds.lo && sp < hi) {
		w->mem.span = hi - sp;
		w->top = hi;
	} else {
		w->mem.span = 0;
		w->top = SAFE_READ_LIMIT;
	}
}

/* --- Rules --- */

static rule_t with_module(rule_t rule, unsigned instance)
{
	return rule | (rule_t)instance << RULE_MODULE_SHIFT;
}

/* Trampolines that some libraries bring along without unwind information. */
static bool is_trampoline(struct walk *w)
{
	uint64_t first, second;

	return !w->exact && safe_read_unaligned(&w->mem, w->pc, &first) &&
	       safe_read_unaligned(&w->mem, w->pc + 8, &second) &&
	       is_sigreturn(first, second);
}

static PP_COLD rule_t compile(struct walk *w, uint64_t addr)
{
	struct cfi_source source;
	struct segment seg;
	rule_t rule;

	w->misses++;
	/* Not remembered: generated code comes and goes unseen. */
	if (!find_segment(addr, w->guessed, &seg)) {
		rule = is_trampoline(w) ? RULE_SIGNAL : RULE_UNKNOWN;
		return with_module(
			rule, find_jit_instance(w->s, addr, w->generation));
	}
	find_cfi_source(&seg.object, &source);
	rule = cfi_rule(&source, addr);
	if (rule_kind(rule) == RULE_NO_INFO && is_trampoline(w))
		rule = RULE_SIGNAL;
	if (rule_kind(rule) == RULE_FAILED)
		w->errors++;
	rule = with_module(rule, find_instance(w->s, &seg, w->generation));
	rules_put(addr, w->generation, rule);
	return rule;
}

static inline rule_t rule_at(struct walk *w, uint64_t addr)
{
	rule_t rule = rules_get(addr, w->generation);

	return pp_likely(rule) ? rule : compile(w, addr);
}

rule_t unwind_rule_at(struct walk *w, uint64_t addr)
{
	return rule_at(w, addr);
}

/* A coroutine's entry returns to code that never called it: the byte before is
 * then padding, and the return address the first of a function. */
static PP_COLD rule_t rule_if_start(struct walk *w, rule_t rule)
{
	rule_t start = rule_at(w, w->pc);

	if (!(start & RULE_AT_START))
		return rule;
	w->exact = w->planted = true;
	return start;
}

static inline rule_t rule_here(struct walk *w)
{
	rule_t rule = rule_at(w, (w->pc - !w->exact) & FRAME_PC_MASK);

	if (pp_unlikely(rule_kind(rule) == RULE_NO_INFO) && !w->exact)
		rule = rule_if_start(w, rule);
	return rule;
}

/* --- Steps --- */

/* A register of this frame that is not tracked from frame to frame. */
static bool full_register(struct walk *w, unsigned reg, uint64_t *ret)
{
	if (w->regs) {
		*ret = w->regs->r[reg];
		return true;
	}
	return w->ucontext &&
	       safe_read(&w->mem, w->ucontext + ucontext_offset(reg), ret);
}

static inline bool frame_register(struct walk *w, unsigned reg, uint64_t *ret)
{
	switch (reg) {
	case ARCH_REG_RSP:
		*ret = w->sp;
		return true;
	case ARCH_REG_RBP:
		*ret = w->rbp;
		return w->rbp_known;
	case ARCH_REG_RBX:
		*ret = w->rbx;
		return w->rbx_known;
	default:
		return full_register(w, reg, ret);
	}
}

static inline bool find_cfa(struct walk *w, rule_t rule, uint64_t *ret)
{
	enum rule_kind kind = rule_kind(rule);
	int64_t offset = rule_offset(rule);
	uint64_t base;

	if (kind == RULE_PLT) {
		*ret = w->sp + 8 + ((int64_t)(w->pc & 15) >= offset / 8) * 8u;
		return true;
	}
	if (kind == RULE_RA_REG) {
		*ret = w->sp + (uint64_t)offset;
		return true;
	}
	if (!frame_register(w, rule_reg(rule), &base))
		return false;
	base += (uint64_t)offset;
	if (kind == RULE_REG) {
		*ret = base;
		return true;
	}
	if (!safe_read(&w->mem, base, ret))
		return false;
	*ret += kind == RULE_DEREF8 ? 8 : 0;
	return true;
}

/* The caller's value of a register. */
static inline bool restore(struct walk *w, rule_t rule, unsigned shift,
	unsigned bits, uint64_t cfa, uint64_t *reg, bool *known)
{
	uint64_t field = rule >> shift, n = field >> 2;
	uint64_t mask = (UINT64_C(1) << bits) - 1;
	int64_t offset;

	switch ((enum rule_saved)(field & 3)) {
	case SAVED_SAME:
		return true;
	case SAVED_CFA:
		*known = true;
		return safe_read(&w->mem, cfa - 8 * ((n & mask) + 1), reg);
	case SAVED_RBP:
		*known = w->rbp_known;
		offset = (int64_t)(n << (64 - bits)) >> (64 - bits);
		return !w->rbp_known ||
		       safe_read(&w->mem, w->rbp + 8 * (uint64_t)offset, reg);
	default:
		*known = false;
		return true;
	}
}

/*
 * gcc's epilogue of a realigned frame is "leave; lea -8(%r10),%rsp; ret", and
 * the tables go on saying that the caller's registers are found by rbp when
 * rbp is already the caller's. Then rsp points at the return address, or at
 * the copy of it that such frames keep above the saved rbp.
 */
static PP_COLD bool is_left_already(struct walk *w, uint64_t ra)
{
	uint64_t top;

	return safe_read(&w->mem, w->sp, &top) && top == ra;
}

#define RULE_SAVED_FIELDS                                         \
	(((UINT64_C(4) << RULE_RBP_BITS) - 1) << RULE_RBP_SHIFT | \
		((UINT64_C(4) << RULE_RBX_BITS) - 1) << RULE_RBX_SHIFT)

/* A frame whose rbp is saved by rbp, and whose CFA is found otherwise. */
static inline bool may_be_left(rule_t rule)
{
	return (rule >> RULE_RBP_SHIFT & 3) == SAVED_RBP &&
	       rule_kind(rule) == RULE_REG && rule_reg(rule) != ARCH_REG_RBP;
}

static inline bool find_return_address(
	struct walk *w, rule_t rule, uint64_t cfa, uint64_t *ret)
{
	if (pp_unlikely(rule_kind(rule) == RULE_RA_REG))
		return full_register(w, rule_reg(rule), ret);
	return safe_read(&w->mem, cfa - 8, ret);
}

static inline bool step_by_rule(struct walk *w, rule_t rule)
{
	uint64_t cfa, ra, rbp = w->rbp;
	bool rbp_known = w->rbp_known;

	if (!find_cfa(w, rule, &cfa))
		return false;
	if (pp_unlikely(cfa % 8 || cfa <= w->sp || cfa > w->top ||
			cfa - w->sp > FRAME_LIMIT))
		return false;
	if (!find_return_address(w, rule, cfa, &ra))
		return false;
	if (pp_unlikely(may_be_left(rule)) && is_left_already(w, ra))
		rule &= ~RULE_SAVED_FIELDS; /* SAVED_SAME */
	/* rbx first: it may be found by this frame's rbp. */
	if (!restore(w, rule, RULE_RBX_SHIFT, RULE_RBX_BITS, cfa, &w->rbx,
		    &w->rbx_known) ||
		!restore(w, rule, RULE_RBP_SHIFT, RULE_RBP_BITS, cfa, &rbp,
			&rbp_known))
		return false;
	w->called_pc = w->pc;
	w->called_sp = w->exact ? w->sp : 0;
	w->rbp = rbp;
	w->rbp_known = rbp_known;
	w->pc = ra;
	w->sp = cfa;
	w->exact = false;
	w->guessed = false;
	w->regs = NULL;
	w->ucontext = 0;
	return true;
}

/* The kernel left the interrupted registers in a ucontext at sp. */
static PP_COLD bool step_signal(struct walk *w)
{
	uint64_t uc = w->sp;

	w->regs = NULL;
	w->ucontext = uc;
	if (!full_register(w, ARCH_REG_PC, &w->pc) ||
		!full_register(w, ARCH_REG_RBP, &w->rbp) ||
		!full_register(w, ARCH_REG_RBX, &w->rbx) ||
		!full_register(w, ARCH_REG_RSP, &w->sp))
		return false;
	w->rbp_known = w->rbx_known = true;
	w->exact = true;
	w->guessed = false;
	w->called_sp = 0;
	enter_stack(w);
	return true;
}

/* --- The walk --- */

/* Only walk_plain() and a proper end keep to what the log can tell. */
static inline void break_log(struct walk *w)
{
	if (pp_unlikely(w->mem.log != NULL))
		w->mem.log->broken = true;
}

static inline bool step(struct walk *w, rule_t rule)
{
	break_log(w);
	switch (rule_kind(rule)) {
	case RULE_REG:
	case RULE_DEREF:
	case RULE_DEREF8:
	case RULE_PLT:
	case RULE_RA_REG:
		return step_by_rule(w, rule);
	case RULE_SIGNAL:
		return step_signal(w);
	case RULE_NO_INFO:
	case RULE_UNKNOWN:
		return guess_step(w, rule_kind(rule) == RULE_UNKNOWN);
	default: /* RULE_FAILED: longjmp and the like, mostly */
		w->called_pc = w->pc;
		w->called_sp = w->exact ? w->sp : 0;
		return guess_repair(w);
	}
}

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
	uint64_t rbp_from = 0, unused;
	unsigned start = n;

	while (n < most && pc - 1 < SAFE_READ_LIMIT) {
		rule_t rule = rules_get(pc - 1, w->generation);
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
	if (!step(w, rule) || !guess_in_known_code(w->pc) ||
		!guess_follows_call(w, w->pc))
		return NEXT_START;
	w->planted = false;
	return NEXT_CALLER;
}

/* One frame of any kind: writes it, counts it and steps to its caller. */
static enum next walk_one(
	struct walk *w, frame_t *frames, unsigned *n, unsigned *sure)
{
	rule_t rule = rule_here(w);

	if (pp_unlikely(*n && !is_believable(w, rule))) {
		break_log(w);
		if (!guess_repair(w))
			return NEXT_NONE;
		rule = rule_here(w);
	}
	frames[(*n)++] = frame_make(w->pc, w->exact, rule_module(rule));
	/* Callers in generated code count once known code shows that they
	 * were callers. */
	if (pp_likely(rule_kind(rule) != RULE_UNKNOWN) || *n == 1)
		*sure = *n;
	if (rule_kind(rule) == RULE_END)
		return NEXT_START;
	if (pp_unlikely(w->planted)) {
		break_log(w);
		return leave_planted(w, rule);
	}
	return step(w, rule) ? NEXT_CALLER : NEXT_NONE;
}

/* pc is no address of code. */
static PP_COLD bool ends_at_null(struct walk *w, enum unwind_end *ret_end)
{
	break_log(w);
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

unsigned unwind_logged(struct session *s, const struct arch_regs *regs,
	bool exact, struct unwind_bounds bounds, struct safe_log *log,
	frame_t *frames, unsigned most, enum unwind_end *ret_end)
{
	struct walk w;
	unsigned n;

	w.s = s;
	w.pc = regs->r[ARCH_REG_PC] & FRAME_PC_MASK;
	w.sp = regs->r[ARCH_REG_RSP];
	w.rbp = regs->r[ARCH_REG_RBP];
	w.rbx = regs->r[ARCH_REG_RBX];
	w.exact = exact;
	w.rbp_known = w.rbx_known = true;
	w.guessed = w.planted = false;
	w.regs = regs;
	w.ucontext = 0;
	w.bounds = bounds;
	safe_read_init(&w.mem);
	w.mem.log = log;
	w.generation = rules_generation();
	w.misses = w.errors = 0;
	w.called_pc = w.called_sp = 0;
	enter_stack(&w);
	n = walk(&w, frames, most, ret_end);
	if (s && w.misses + w.mem.probes) {
		session_count(s, STAT_RULE_MISSES, w.misses);
		session_count(s, STAT_RULE_ERRORS, w.errors);
		session_count(s, STAT_PROBES, w.mem.probes);
	}
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

	if (find_segment(addr, true, &seg))
		instance = find_instance(s, &seg, generation);
	return frame_make(pc, exact, instance);
}

int unwind_prepare(void)
{
	return rules_prepare();
}

void unwind_start(void)
{
	safe_read_start();
	find_module_start();
}

void unwind_invalidate(void)
{
	find_module_invalidate();
	rules_invalidate();
}
