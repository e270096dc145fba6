/*
 * memo.c - see memo.h. Context: PP_ANY.
 */
#include "pp.h"

#include "memo.h"
#include "process.h"
#include "sys.h"

#define SLOTS 32u

/* A thread that remembers nothing: it has ended, or was refused memory. */
static PP_BIG struct memo none;

static PP_COLD void prepare(struct thread_state *t)
{
	bool wanted = process.settings.heap_rate <= MEMO_MOST_RATE &&
		      /* libunwind keeps no log */
		      process.settings.unwinder != UNWINDER_LIBUNWIND;
	struct memo *memos = wanted ? sys_map_pages(SLOTS * sizeof(*memos))
				    : NULL;

	t->memos = memos ? memos : &none;
}

struct memo *memo_at(
	struct thread_state *t, const struct arch_regs *regs, uint64_t site)
{
	uint64_t h = site ^ regs->r[ARCH_REG_SP] << 5;

	if (pp_unlikely(!t->memos)) {
		if (!t->end_seen)
			return NULL;
		prepare(t);
	}
	if (pp_unlikely(t->memos == &none))
		return NULL;
	return &t->memos[(h * 0x9e3779b97f4a7c15u >> 40) % SLOTS];
}

bool memo_holds(const struct memo *memo, const struct arch_regs *regs,
	struct unwind_bounds bounds)
{
	if (!memo->stack || memo->generation != unwind_generation() ||
		memo->pc != regs->r[ARCH_REG_PC] ||
		memo->sp != regs->r[ARCH_REG_RSP] ||
		(memo->log.uses_rbp && memo->rbp != regs->r[ARCH_REG_RBP]) ||
		memo->bounds.lo != bounds.lo || memo->bounds.hi != bounds.hi)
		return false;
	/* In the bounds and above sp: there to be read. */
	for (uint32_t i = 0; i < memo->log.n; i++)
		if (*(const volatile uint64_t *)memo->words[i].addr !=
			memo->words[i].value)
			return false;
	return true;
}

struct safe_log *memo_begin(struct memo *memo, const struct arch_regs *regs,
	struct unwind_bounds bounds)
{
	memo->stack = memo->row = 0;
	memo->generation = unwind_generation();
	memo->pc = regs->r[ARCH_REG_PC];
	memo->sp = regs->r[ARCH_REG_RSP];
	memo->rbp = regs->r[ARCH_REG_RBP];
	memo->bounds = bounds;
	memo->log = (struct safe_log){ .words = memo->words,
		.most = MEMO_WORDS };
	return &memo->log;
}

void memo_finish(struct memo *memo, uint32_t stack)
{
	memo->stack = memo->log.broken ? 0 : stack;
}

void memo_end_thread(struct thread_state *t)
{
	if (t->memos && t->memos != &none)
		(void)sys_munmap(t->memos, SLOTS * sizeof(*t->memos));
	t->memos = &none;
}
