/*
 * cfi.c - run a function's unwind program up to one program counter and
 * express the result as a rule. Context: PP_ANY.
 *
 * Opcodes: DWARF 5, section 6.4.2 and 7.24; GNU ones: LSB.
 */
#include "pp.h"

#include "arch.h"
#include "cfi.h"
#include "cfi_priv.h"

/* The columns a rule needs; all others do not change how a walk goes on. */
enum column { COL_RBP, COL_RBX, COL_RSP, COL_RA, COL_COUNT, COL_OTHER };

enum how {
	HOW_SAME,     /* also: nothing was said */
	HOW_OFFSET,   /* at CFA + value */
	HOW_VALUE,    /* is CFA + value */
	HOW_REGISTER, /* in register `value` */
	HOW_EXPR,     /* at the address the expression gives */
	HOW_UNDEFINED,
	HOW_OTHER, /* nothing a rule could say */
};

/* `value` is a number, or the address of an expression (its length first). */
struct where {
	int64_t value;
	uint8_t how;
	uint8_t reg; /* of the CFA: HOW_OFFSET means reg + value */
};

struct row {
	struct where cfa;
	struct where col[COL_COUNT];
};

/* Compilers nest remember/restore once; a bound keeps the state small. */
#define REMEMBERED 4

struct machine {
	const struct cfi_function *f;
	uint64_t pc, loc;
	const struct row *initial; /* NULL while the CIE's program runs */
	unsigned remembered;
	bool failed;
	struct row row;
	struct row stack[REMEMBERED];
};

static enum column column_of(const struct machine *m, uint64_t reg)
{
	if (reg == m->f->ra_column)
		return COL_RA;
	switch (reg) {
	case ARCH_REG_RBP:
		return COL_RBP;
	case ARCH_REG_RBX:
		return COL_RBX;
	case ARCH_REG_RSP:
		return COL_RSP;
	default:
		return COL_OTHER;
	}
}

static void set(struct machine *m, uint64_t reg, enum how how, int64_t value)
{
	enum column c = column_of(m, reg);

	if (c != COL_OTHER)
		m->row.col[c] = (struct where){ .value = value,
			.how = (uint8_t)how };
}

static void restore(struct machine *m, uint64_t reg)
{
	enum column c = column_of(m, reg);

	if (c != COL_OTHER && m->initial)
		m->row.col[c] = m->initial->col[c];
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
	m->failed |= reg >= ARCH_REG_PC;
	m->row.cfa = (struct where){
		.value = offset, .how = HOW_OFFSET, .reg = (uint8_t)reg
	};
}

/* Only of a CFA that is register + offset; the value of an expression is an
 * address. */
static void set_cfa_offset(struct machine *m, int64_t offset)
{
	m->failed |= m->row.cfa.how != HOW_OFFSET;
	m->row.cfa.value = offset;
}

/* The address of a block (its length first); the cursor moves behind it. */
static int64_t block(struct cursor *c)
{
	int64_t at = (int64_t)(uintptr_t)c->p;

	cursor_skip(c, cursor_uleb(c));
	return at;
}

static void remember(struct machine *m)
{
	if (m->remembered == REMEMBERED)
		m->failed = true;
	else
		m->stack[m->remembered++] = m->row;
}

static void recall(struct machine *m)
{
	if (m->remembered == 0)
		m->failed = true;
	else
		m->row = m->stack[--m->remembered];
}

static void advance(struct machine *m, uint64_t delta)
{
	m->loc += delta * m->f->code_align;
}

static int64_t factored(const struct machine *m, int64_t n)
{
	return (int64_t)((uint64_t)n * (uint64_t)m->f->data_align);
}

/* DW_CFA_*; those with an operand in their low six bits come first. */
enum {
	CFA_ADVANCE = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE1 = 0x02,
	CFA_ADVANCE2 = 0x03,
	CFA_ADVANCE4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER = 0x0a,
	CFA_RECALL = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET = 0x2f,
};

/* Opcodes that say where the CFA is. False if `op` is none of them. */
static bool run_cfa(struct machine *m, struct cursor *c, unsigned op)
{
	uint64_t reg;

	switch (op) {
	case CFA_DEF_CFA:
		reg = cursor_uleb(c);
		set_cfa(m, reg, (int64_t)cursor_uleb(c));
		return true;
	case CFA_DEF_CFA_SF:
		reg = cursor_uleb(c);
		set_cfa(m, reg, factored(m, cursor_sleb(c)));
		return true;
	case CFA_DEF_CFA_REGISTER:
		m->failed |= m->row.cfa.how != HOW_OFFSET;
		set_cfa(m, cursor_uleb(c), m->row.cfa.value);
		return true;
	case CFA_DEF_CFA_OFFSET:
		set_cfa_offset(m, (int64_t)cursor_uleb(c));
		return true;
	case CFA_DEF_CFA_OFFSET_SF:
		set_cfa_offset(m, factored(m, cursor_sleb(c)));
		return true;
	case CFA_DEF_CFA_EXPRESSION:
		m->row.cfa.how = HOW_EXPR;
		m->row.cfa.value = block(c);
		return true;
	default:
		return false;
	}
}

/* Opcodes that say where a register of the caller is. */
static bool run_register(struct machine *m, struct cursor *c, unsigned op)
{
	uint64_t reg;

	if (op < CFA_OFFSET_EXTENDED)
		return false;
	reg = op == CFA_REMEMBER || op == CFA_RECALL ? 0 : cursor_uleb(c);
	switch (op) {
	case CFA_OFFSET_EXTENDED:
		set(m, reg, HOW_OFFSET, factored(m, (int64_t)cursor_uleb(c)));
		return true;
	case CFA_OFFSET_EXTENDED_SF:
		set(m, reg, HOW_OFFSET, factored(m, cursor_sleb(c)));
		return true;
	case CFA_GNU_NEGATIVE_OFFSET:
		set(m, reg, HOW_OFFSET, -factored(m, (int64_t)cursor_uleb(c)));
		return true;
	case CFA_VAL_OFFSET:
		set(m, reg, HOW_VALUE, factored(m, (int64_t)cursor_uleb(c)));
		return true;
	case CFA_VAL_OFFSET_SF:
		set(m, reg, HOW_VALUE, factored(m, cursor_sleb(c)));
		return true;
	case CFA_RESTORE_EXTENDED:
		restore(m, reg);
		return true;
	case CFA_UNDEFINED:
		set(m, reg, HOW_UNDEFINED, 0);
		return true;
	case CFA_SAME_VALUE:
		set(m, reg, HOW_SAME, 0);
		return true;
	case CFA_REGISTER:
		set(m, reg, HOW_REGISTER, (int64_t)cursor_uleb(c));
		return true;
	case CFA_EXPRESSION:
		set(m, reg, HOW_EXPR, block(c));
		return true;
	case CFA_VAL_EXPRESSION:
		(void)block(c);
		set(m, reg, HOW_OTHER, 0);
		return true;
	case CFA_GNU_ARGS_SIZE: /* its operand is not a register */
		return true;
	case CFA_REMEMBER:
		remember(m);
		return true;
	case CFA_RECALL:
		recall(m);
		return true;
	default:
		return false;
	}
}

static bool run_location(struct machine *m, struct cursor *c, unsigned op)
{
	switch (op) {
	case CFA_NOP:
		return true;
	case CFA_SET_LOC:
		m->loc = cursor_pointer(c, m->f->pointer_enc, 0);
		return true;
	case CFA_ADVANCE1:
		advance(m, cursor_fixed(c, 1));
		return true;
	case CFA_ADVANCE2:
		advance(m, cursor_fixed(c, 2));
		return true;
	case CFA_ADVANCE4:
		advance(m, cursor_fixed(c, 4));
		return true;
	default:
		return false;
	}
}

/* Run until the end or until the row for m->pc is complete. */
static void run(struct machine *m, struct cursor c)
{
	while (!cursor_done(&c) && !m->failed) {
		unsigned op = (unsigned)cursor_fixed(&c, 1);
		unsigned low = op & 0x3f;

		switch (op & 0xc0) {
		case CFA_ADVANCE:
			advance(m, low);
			break;
		case CFA_OFFSET:
			set(m, low, HOW_OFFSET,
				factored(m, (int64_t)cursor_uleb(&c)));
			break;
		case CFA_RESTORE:
			restore(m, low);
			break;
		default:
			m->failed |= !run_location(m, &c, op) &&
				     !run_cfa(m, &c, op) &&
				     !run_register(m, &c, op);
		}
		m->failed |= c.bad;
		if (m->loc > m->pc)
			return;
	}
}

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
	if (n > 15 ||
		__builtin_memcmp(c.p + sizeof(head) + 1, tail, sizeof(tail)))
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
	const struct row *row, int64_t at, unsigned shift, unsigned bits)
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

static rule_t saved_rule(
	const struct row *row, enum column col, unsigned shift, unsigned bits)
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

static rule_t cfa_rule(const struct row *row)
{
	if (row->cfa.how == HOW_EXPR)
		return cfa_expression_rule(row->cfa.value);
	if (row->cfa.how != HOW_OFFSET || !fits(row->cfa.value))
		return RULE_FAILED;
	return rule_make(RULE_REG, row->cfa.reg, row->cfa.value);
}

/* vfork and _Unwind_Resume return through a register. */
static rule_t ra_in_register(const struct row *row)
{
	int64_t reg = row->col[COL_RA].value;

	if (row->cfa.how != HOW_OFFSET || row->cfa.reg != ARCH_REG_RSP ||
		!fits(row->cfa.value) || reg < 0 || reg >= ARCH_REG_PC)
		return RULE_FAILED;
	return rule_make(RULE_RA_REG, (unsigned)reg, row->cfa.value);
}

static rule_t rule_of(const struct row *row)
{
	const struct where *ra = &row->col[COL_RA], *sp = &row->col[COL_RSP];
	rule_t rule;

	if (ra->how == HOW_UNDEFINED)
		return RULE_END;
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

static rule_t run_function(const struct cfi_function *f, uint64_t pc)
{
	struct row initial;
	struct machine m;

	m.f = f;
	m.pc = pc;
	m.loc = f->start;
	m.initial = NULL;
	m.remembered = 0;
	m.failed = false;
	m.row = (struct row){ .cfa = { .how = HOW_OTHER } };
	run(&m, f->cie_program);
	initial = m.row;
	m.initial = &initial;
	m.loc = f->start;
	if (!m.failed)
		run(&m, f->program);
	return m.failed ? RULE_FAILED : rule_of(&m.row);
}

rule_t cfi_rule(const struct cfi_source *source, uint64_t pc)
{
	struct cfi_function f;
	rule_t rule;

	switch (cfi_find(source, pc, &f)) {
	case CFI_NO_FUNCTION:
		return RULE_NO_INFO;
	case CFI_DAMAGED:
		return RULE_FAILED;
	default:
		break;
	}
	rule = f.is_signal ? RULE_SIGNAL : run_function(&f, pc);
	return pc == f.start ? rule | RULE_AT_START : rule;
}

uint64_t cfi_function_start(const struct cfi_source *source, uint64_t pc)
{
	struct cfi_function f;

	return cfi_find(source, pc, &f) == CFI_FOUND ? f.start : 0;
}
