/*
 * sandbox.c - see sandbox.h: runs the filter as the kernel would, once for
 * each system call that we make. Jumps of filters go forward only, so a run
 * ends. What they are and mean: bpf(4), seccomp(2).
 */
#include "pp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "safe_read.h"
#include "sandbox.h"
#include "sandbox_calls.h"
#include "sys.h"

#define MOST_CODE 4096u /* BPF_MAXINSNS */

/* --- one run -------------------------------------------------------------- */

struct machine {
	struct safe_reader reader;
	uint64_t code;
	uint32_t length, pc;
	uint32_t a, x, memory[BPF_MEMWORDS];
	struct seccomp_data data;
};

static bool load(struct machine *m, const struct sock_filter *i, uint32_t *ret)
{
	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		*ret = i->k;
		return true;
	case BPF_MEM:
		*ret = m->memory[i->k % BPF_MEMWORDS];
		return true;
	case BPF_LEN:
		*ret = sizeof(m->data);
		return true;
	case BPF_ABS:
		if (i->k > sizeof(m->data) - sizeof(*ret))
			return false;
		memcpy(ret, (const char *)&m->data + i->k, sizeof(*ret));
		return true;
	default:
		return false;
	}
}

static bool calculate(struct machine *m, const struct sock_filter *i)
{
	uint32_t by = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		m->a += by;
		return true;
	case BPF_SUB:
		m->a -= by;
		return true;
	case BPF_MUL:
		m->a *= by;
		return true;
	case BPF_DIV:
		m->a = by ? m->a / by : 0;
		return by != 0;
	case BPF_OR:
		m->a |= by;
		return true;
	case BPF_AND:
		m->a &= by;
		return true;
	case BPF_XOR:
		m->a ^= by;
		return true;
	case BPF_LSH:
		m->a <<= by % 32;
		return true;
	case BPF_RSH:
		m->a >>= by % 32;
		return true;
	case BPF_NEG:
		m->a = 0 - m->a;
		return true;
	default:
		return false;
	}
}

/* How far to jump; false = no such instruction. */
static bool jump(
	const struct machine *m, const struct sock_filter *i, uint32_t *ret)
{
	uint32_t with = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
	bool yes;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		*ret = i->k;
		return true;
	case BPF_JEQ:
		yes = m->a == with;
		break;
	case BPF_JGT:
		yes = m->a > with;
		break;
	case BPF_JGE:
		yes = m->a >= with;
		break;
	case BPF_JSET:
		yes = (m->a & with) != 0;
		break;
	default:
		return false;
	}
	*ret = yes ? i->jt : i->jf;
	return true;
}

/* Everything but jumps and the end. */
static bool plain(struct machine *m, const struct sock_filter *i)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
		return load(m, i, &m->a);
	case BPF_LDX:
		return load(m, i, &m->x);
	case BPF_ST:
		m->memory[i->k % BPF_MEMWORDS] = m->a;
		return true;
	case BPF_STX:
		m->memory[i->k % BPF_MEMWORDS] = m->x;
		return true;
	case BPF_ALU:
		return calculate(m, i);
	default: /* BPF_MISC */
		if (BPF_MISCOP(i->code) == BPF_TAX)
			m->x = m->a;
		else
			m->a = m->x;
		return true;
	}
}

static bool fetch(struct machine *m, struct sock_filter *ret)
{
	uint64_t word;

	if (m->pc >= m->length ||
		!safe_read_unaligned(
			&m->reader, m->code + sizeof(*ret) * m->pc, &word))
		return false;
	_Static_assert(sizeof(*ret) == sizeof(word), "one read for each");
	memcpy(ret, &word, sizeof(*ret));
	m->pc++;
	return true;
}

/* What the filter answers. What we do not understand kills. */
static uint32_t answer(struct machine *m)
{
	struct sock_filter i;
	uint32_t by;

	m->pc = m->a = m->x = 0;
	while (fetch(m, &i)) {
		if (BPF_CLASS(i.code) == BPF_RET)
			return BPF_RVAL(i.code) == BPF_A ? m->a : i.k;
		if (BPF_CLASS(i.code) == BPF_JMP) {
			if (!jump(m, &i, &by) || by >= m->length - m->pc)
				break;
			m->pc += by;
		} else if (!plain(m, &i)) {
			break;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* A tracer that is asked knows what it does (and without one it is an error).
 * A supervisor may be a thread of this process, which waits for us. */
static bool is_harmless(uint32_t told, bool must_work)
{
	uint32_t action = told & SECCOMP_RET_ACTION_FULL;

	if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG)
		return true;
	return !must_work &&
	       (action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE);
}

static bool is_allowed(struct machine *m, const struct sandbox_call *call)
{
	m->data = (struct seccomp_data){
		.nr = call->number,
		.arch = ARCH_AUDIT,
		.instruction_pointer = (uintptr_t)sandbox_calls,
	};

	m->data.args[call->at] = call->value;
	return is_harmless(answer(m), call->must_work);
}

static bool allows(
	const void *program, const struct sandbox_call *calls, size_t count)
{
	const uint64_t at = (uintptr_t)program;
	struct machine m = { .pc = 0 };
	uint64_t length;

	safe_read_init(&m.reader);
	/* struct sock_fprog: a short, and an address. */
	if (!safe_read_unaligned(&m.reader, at, &length) ||
		!safe_read_unaligned(&m.reader,
			at + offsetof(struct sock_fprog, filter), &m.code))
		return false;
	m.length = (uint16_t)length;
	if (m.length == 0 || m.length > MOST_CODE)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!is_allowed(&m, &calls[i]))
			return false;
	return true;
}

bool sandbox_hurts(const void *program)
{
	return !allows(program, sandbox_calls, sandbox_calls_count);
}

bool sandbox_forbids_orphans(const void *program)
{
	return !allows(
		program, sandbox_orphan_calls, sandbox_orphan_calls_count);
}
