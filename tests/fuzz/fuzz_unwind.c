/*
 * fuzz_unwind.c - walks by hostile rules, from hostile registers, over a
 * hostile stack (core/capture/unwind*.c, guess.c).
 *
 * The input: how many rules, flags, bounds, the rules (of the bytes CODE,
 * CODE + 1, ...), the registers, and the stack from STACK on.
 */
#include "pp.h"

#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "rules.h"
#include "safe_read.h"
#include "unwind.h"

#include "fuzz.h"

#define STACK UINT64_C(0x210000000000)
#define STACK_BYTES 4096u
#define CODE UINT64_C(0x220000000000)
#define MOST 64u

enum { KNOWS_BOUNDS = 1, IS_EXACT = 2, LOGS = 4 };

static uint8_t *stack;

static void begin(void)
{
	if (stack)
		return;
	unwind_start();
	MUST(rules_prepare() == 0);
	stack = mmap((void *)STACK, STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	MUST((uint64_t)(uintptr_t)stack == STACK);
}

static void put_rules(struct fuzz_input *in, unsigned n)
{
	unwind_invalidate();
	for (unsigned i = 0; i < n; i++) {
		rule_t rule = fuzz_u64(in);

		if (rule_kind(rule) != RULE_NONE &&
			rule_kind(rule) <= RULE_FAILED)
			rules_put(CODE + i, rules_generation(), rule);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct unwind_bounds bounds = { 0, 0 };
	struct safe_word words[16];
	struct safe_log log = { .words = words, .most = 16 };
	frame_t frames[MOST];
	struct arch_regs regs;
	enum unwind_end end;
	unsigned rules, flags, most, n;

	begin();
	rules = fuzz_u8(&in);
	flags = fuzz_u8(&in);
	most = 1 + fuzz_u8(&in) % MOST;
	if (flags & KNOWS_BOUNDS)
		bounds = (struct unwind_bounds){ STACK, STACK + STACK_BYTES };
	put_rules(&in, rules);
	for (unsigned i = 0; i < ARCH_REGS; i++)
		regs.r[i] = fuzz_u64(&in);
	fuzz_take(&in, stack, STACK_BYTES);
	n = unwind_logged(NULL, &regs, flags & IS_EXACT, bounds,
		flags & LOGS ? &log : NULL, frames, most, &end);
	MUST(n >= 1 && n <= most);
	MUST(end <= UNWIND_DEPTH && log.n <= 16);
	return 0;
}
