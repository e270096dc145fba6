/*
 * cfi_express.c - what an unwind program says of one program counter, as a
 * rule, if a rule can say it. Context: PP_ANY.
 *
 * Expressions: DWARF 5, section 2.5 and 7.7.1.
 */
#include "pp.h"

#include "arch.h"
#include "cfi_priv.h"

/* --- Expressions: the few forms that are in use --- */

enum {
	OP_DEREF = 0x06,
	OP_AND = 0x1a,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_LIT15 = 0x3f,
	OP_LIT3 = 0x33,
	OP_LIT8 = 0x38,
	OP_BREG0 = 0x70,
	OP_BREG_RSP = OP_BREG0 + ARCH_REG_RSP,
	OP_BREG_PC = OP_BREG0 + ARCH_REG_PC,
};

static struct cursor expression(int64_t at)
{
	struct cursor c = { (const uint8_t *)at, (const uint8_t *)at + 10,
		false }; /* checked when the program was run */
	uint64_t length = cursor_uleb(&c);

	c.end = c.p + length;
	return c;
}

/* "reg + offset" at the start of an expression. */
static bool base_register(
	struct cursor *c, unsigned *ret_reg, int64_t *ret_offset)
{
	unsigned op = (unsigned)cursor_fixed(c, 1);

	if (op < OP_BREG0 || op >= OP_BREG_PC)
		return false;
	*ret_reg = op - OP_BREG0;
	*ret_offset = cursor_sleb(c);
	return !c->bad;
}

/* A lazy PLT's: rsp + 8 + (((rip & 15) >= n) << 3). */
static rule_t plt_rule(struct cursor c)
{
	static const uint8_t head[] = { OP_BREG_PC, 0, OP_LIT15, OP_AND };
	static const uint8_t tail[] = { OP_GE, OP_LIT3, OP_SHL, OP_PLUS };
	unsigned n;

	if (cursor_left(&c) != sizeof(head) + 1 + sizeof(tail) ||
		__builtin_memcmp(c.p, head, sizeof(head)) != 0)
		return RULE_FAILED;
	n = c.p[sizeof(head)] - (unsigned)OP_LIT0;
	if (n > 15 || __builtin_memcmp(
			      c.p + sizeof(head) + 1, tail, sizeof(tail)) != 0)
		return RULE_FAILED;
	return rule_make(RULE_PLT, ARCH_REG_RSP, (int64_t)n * 8);
}

static bool adds_eight(struct cursor c)
{
	unsigned op = (unsigned)cursor_fixed(&c, 1);
	unsigned operand = (unsigned)cursor_fixed(&c, 1);

	return cursor_done(&c) && !c.bad &&
	       ((op == OP_PLUS_UCONST && operand == 8) ||
		       (op == OP_LIT8 && operand == OP_PLUS));
}

static bool fits(int64_t offset)
{
	return offset % 8 == 0 && offset < RULE_OFFSET_LIMIT &&
	       offset >= -RULE_OFFSET_LIMIT;
}

static rule_t cfa_expression_rule(int64_t at)
{
	struct cursor c = expression(at);
	unsigned reg;
	int64_t offset;

	if (!base_register(&c, &reg, &offset) || !fits(offset))
		return RULE_FAILED;
	if (cursor_done(&c))
		return rule_make(RULE_REG, reg, offset);
	if (*c.p != OP_DEREF)
		return reg == ARCH_REG_RSP && offset == 8 ? plt_rule(c)
							  : RULE_FAILED;
	cursor_skip(&c, 1);
	if (cursor_done(&c))
		return rule_make(RULE_DEREF, reg, offset);
	return adds_eight(c) ? rule_make(RULE_DEREF8, reg, offset)
			     : RULE_FAILED;
}

/* --- From a row to a rule --- */

static rule_t saved_bits(
	enum rule_saved saved, int64_t n, unsigned shift, unsigned bits)
{
	rule_t operand = (rule_t)n & ((UINT64_C(1) << bits) - 1);

	return ((rule_t)saved | operand << 2) << shift;
}

static rule_t lost(unsigned shift)
{
	return (rule_t)SAVED_LOST << shift;
}

/* Saved at CFA + offset. */
static rule_t saved_at_cfa(int64_t offset, unsigned shift, unsigned bits)
{
	int64_t n = -offset / 8 - 1;

	if (offset % 8 || n < 0 || n >= INT64_C(1) << bits)
		return lost(shift);
	return saved_bits(SAVED_CFA, n, shift, bits);
}

/* Saved at an expression: rbp + n, or rsp + n where the CFA is known from rsp,
 * too. */
static rule_t saved_at_expression(
	const struct cfi_row *row, int64_t at, unsigned shift, unsigned bits)
{
	struct cursor c = expression(at);
	int64_t limit = INT64_C(4) << bits, n;
	unsigned reg;

	if (!base_register(&c, &reg, &n) || !cursor_done(&c) || n % 8)
		return lost(shift);
	if (reg == ARCH_REG_RSP && row->cfa.how == HOW_OFFSET &&
		row->cfa.reg == ARCH_REG_RSP)
		return saved_at_cfa(n - row->cfa.value, shift, bits);
	if (reg != ARCH_REG_RBP || n >= limit || n < -limit)
		return lost(shift);
	return saved_bits(SAVED_RBP, n / 8, shift, bits);
}

static rule_t saved_rule(const struct cfi_row *row, enum column col,
	unsigned shift, unsigned bits)
{
	const struct where *w = &row->col[col];

	switch (w->how) {
	case HOW_SAME:
		return (rule_t)SAVED_SAME << shift;
	case HOW_OFFSET:
		return saved_at_cfa(w->value, shift, bits);
	case HOW_EXPR:
		return saved_at_expression(row, w->value, shift, bits);
	default:
		return lost(shift);
	}
}

static rule_t cfa_rule(const struct cfi_row *row)
{
	if (row->cfa.how == HOW_EXPR)
		return cfa_expression_rule(row->cfa.value);
	if (row->cfa.how != HOW_OFFSET || !fits(row->cfa.value))
		return RULE_FAILED;
	return rule_make(RULE_REG, row->cfa.reg, row->cfa.value);
}

/* vfork and _Unwind_Resume return through a register. */
static rule_t ra_in_register(const struct cfi_row *row)
{
	int64_t reg = row->col[COL_RA].value;

	if (row->cfa.how != HOW_OFFSET || row->cfa.reg != ARCH_REG_RSP ||
		!fits(row->cfa.value) || reg < 0 || reg >= ARCH_REG_PC)
		return RULE_FAILED;
	return rule_make(RULE_RA_REG, (unsigned)reg, row->cfa.value);
}

static bool in_register(const struct cfi_row *row, enum column col)
{
	const struct where *w = &row->col[col];

	return w->how == HOW_REGISTER && w->value >= 0 &&
	       w->value < ARCH_REG_PC;
}

rule_t cfi_express(const struct cfi_row *row)
{
	const struct where *ra = &row->col[COL_RA], *sp = &row->col[COL_RSP];
	rule_t rule;

	if (ra->how == HOW_UNDEFINED)
		return RULE_END;
	if (in_register(row, COL_RA) && in_register(row, COL_RSP) &&
		in_register(row, COL_RBP))
		return rule_make_jump((unsigned)ra->value, (unsigned)sp->value,
			(unsigned)row->col[COL_RBP].value);
	/* The caller's rsp is the CFA, and a return address is where the call
	 * left it, or the code is in the middle of switching contexts. */
	if (sp->how != HOW_SAME && (sp->how != HOW_VALUE || sp->value != 0))
		return RULE_FAILED;
	if (ra->how == HOW_REGISTER)
		rule = ra_in_register(row);
	else if (ra->how == HOW_OFFSET && ra->value == -8)
		rule = cfa_rule(row);
	else
		return RULE_FAILED;
	if (rule_kind(rule) == RULE_FAILED)
		return rule;
	return rule | saved_rule(row, COL_RBP, RULE_RBP_SHIFT, RULE_RBP_BITS) |
	       saved_rule(row, COL_RBX, RULE_RBX_SHIFT, RULE_RBX_BITS);
}
