/*
 * cfi.c - run a function's unwind program up to one program counter. Context:
 * PP_ANY.
 *
 * Opcodes: DWARF 5, section 6.4.2 and 7.24; GNU ones: LSB.
 */
#include "pp.h"

#include "arch.h"
#include "cfi.h"
#include "cfi_priv.h"

/* Compilers nest remember/restore once; a bound keeps the state small. */
#define REMEMBERED 4

struct machine {
	const struct cfi_function *f;
	uint64_t pc, loc;
	const struct cfi_row *initial; /* NULL while the CIE's program runs */
	unsigned remembered;
	bool failed;
	struct cfi_row row;
	struct cfi_row stack[REMEMBERED];
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

static rule_t run_function(const struct cfi_function *f, uint64_t pc)
{
	struct cfi_row initial;
	struct machine m;

	m.f = f;
	m.pc = pc;
	m.loc = f->start;
	m.initial = NULL;
	m.remembered = 0;
	m.failed = false;
	m.row = (struct cfi_row){ .cfa = { .how = HOW_OTHER } };
	run(&m, f->cie_program);
	initial = m.row;
	m.initial = &initial;
	m.loc = f->start;
	if (!m.failed)
		run(&m, f->program);
	return m.failed ? RULE_FAILED : cfi_express(&m.row);
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
