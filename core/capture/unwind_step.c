/*
 * unwind_step.c - the rule for a frame, and one step by it. Context: PP_ANY.
 *
 * Why so careful: values that correct programs leave in rbp are not always what
 * their unwind information says (hand-written arithmetic in libc, epilogues of
 * realigned frames in gcc). So each load is checked and the stack must grow.
 */
#include "pp.h"

#include "cfi.h"
#include "code_gate.h"
#include "find_module.h"
#include "unwind_priv.h"
#include "unwind_x86_64.h"

/* Below sp nothing is needed, and of a main thread's stack not even mapped. */
void unwind_enter_stack(struct walk *w)
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

/* A guess may have led to code that is going away: code_gate.h. */
static PP_COLD rule_t compile_guessed(struct walk *w, uint64_t addr)
{
	rule_t rule;

	if (!code_gate_enter())
		return rule_make(RULE_FAILED, 0, 0);
	rule = compile(w, addr);
	code_gate_leave();
	return rule;
}

static inline rule_t rule_at(struct walk *w, uint64_t addr)
{
	rule_t rule = rules_get(addr, w->generation);

	if (pp_likely(rule))
		return rule;
	return w->guessed ? compile_guessed(w, addr) : compile(w, addr);
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

rule_t unwind_rule_here(struct walk *w)
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
	uint64_t cfa, ra, rbp;
	bool rbp_known;

	if (pp_unlikely(!w->rbp_known) && rule_is_by_rbp(rule) &&
		!guess_frame_pointer_of(w, rule))
		return false;
	rbp = w->rbp;
	rbp_known = w->rbp_known;
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
	unwind_enter_stack(w);
	return true;
}

/* The frame that longjmp goes to; `now`: only if the stack is that frame's
 * already. */
static PP_COLD bool step_jump(struct walk *w, rule_t rule, bool now)
{
	uint64_t pc, sp, rbp;

	if (!full_register(w, rule_jump_rsp(rule), &sp) ||
		!full_register(w, rule_reg(rule), &pc) ||
		!full_register(w, rule_jump_rbp(rule), &rbp))
		return false;
	if (now ? sp != w->sp : sp < w->sp || sp > w->top || sp % 8)
		return false;
	w->sp = sp;
	w->called_sp = 0;
	w->pc = pc;
	w->rbp = rbp;
	w->rbp_known = true;
	w->rbx_known = false;
	w->exact = false;
	w->guessed = false;
	w->regs = NULL;
	w->ucontext = 0;
	return true;
}

static bool step_failed(struct walk *w)
{
	w->called_pc = w->pc;
	w->called_sp = w->exact ? w->sp : 0;
	return guess_repair(w);
}

/* Before its last two instructions the stack is the caller's, who is found by a
 * guess; not while another thread closes a library. Then the tables' answer. */
static PP_COLD bool leave_jump(struct walk *w, rule_t rule)
{
	return step_jump(w, rule, true) || step_failed(w) ||
	       step_jump(w, rule, false);
}

bool unwind_step(struct walk *w, rule_t rule)
{
	unwind_break_log(w);
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
	case RULE_JUMP:
		return leave_jump(w, rule);
	default: /* RULE_FAILED */
		return step_failed(w);
	}
}
