/*
 * stepping.h - run a body of code one instruction at a time and compare, at
 * each, the walk with the truth. Only for test_singlestep.c.
 *
 * The processor's trap flag stops this program after each instruction. The
 * handler keeps the truth in a shadow stack: it sees each call push its return
 * address, and each return address go.
 */
#ifndef STEPPING_H
#define STEPPING_H

#include "pp.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "sys.h"
#include "test.h"
#include "unwind.h"

#define MOST 256
#define TRAP_FLAG 0x100

enum { ORACLE_NONE, ORACLE_LIBUNWIND };

/* --- The truth --- */

enum region { MAIN, ALT, COROUTINE, REGIONS };

struct caller {
	uint64_t pc, slot; /* gone when sp is above slot */
	bool exact;
};

/* Callers since the stepping began; ALT shares the vector of MAIN. */
struct shadow {
	struct caller callers[MOST];
	unsigned n;
};

static struct shadow main_shadow, coroutine_shadow;
static frame_t outer[MOST]; /* the callers of run_stepped() */
static unsigned outer_n;
static struct unwind_bounds region_bounds[REGIONS];
static uint64_t planted;	/* where a coroutine's entry returns to */
static uint64_t target_handler; /* first instruction of a stepped handler */

static enum region region_of(uint64_t sp)
{
	for (unsigned r = ALT; r < REGIONS; r++)
		if (sp - region_bounds[r].lo <
			region_bounds[r].hi - region_bounds[r].lo)
			return (enum region)r;
	return MAIN;
}

static struct shadow *shadow_of(uint64_t sp)
{
	return region_of(sp) == COROUTINE ? &coroutine_shadow : &main_shadow;
}

static void push(struct shadow *sh, uint64_t pc, uint64_t slot, bool exact)
{
	if (sh->n < MOST)
		sh->callers[sh->n++] = (struct caller){ pc, slot, exact };
}

static void pop(struct shadow *sh, uint64_t sp)
{
	enum region here = region_of(sp);

	while (sh->n) {
		uint64_t slot = sh->callers[sh->n - 1].slot;
		enum region there = region_of(slot);

		if (there == here ? sp <= slot : here == ALT)
			return;
		sh->n--;
	}
}

static uint64_t last_pc, last_sp;

/* What the instruction that has just run did to the stack. */
static void follow(uint64_t pc, uint64_t sp)
{
	struct shadow *sh = shadow_of(sp);
	uint64_t top = *(const uint64_t *)sp;

	if (pc == target_handler) {
		const ucontext_t *uc = (const ucontext_t *)(sp + 8);

		push(sh, (uint64_t)uc->uc_mcontext.gregs[REG_RIP], sp + 8,
			true);
		push(sh, top, sp, false);
	} else if (sp == last_sp - 8 && top - last_pc - 1 < 8 && pc != top) {
		push(sh, top, sp, false);
	} else {
		pop(sh, sp);
	}
	last_pc = pc;
	last_sp = sp;
}

static unsigned truth(uint64_t pc, uint64_t sp, frame_t *ret)
{
	const struct shadow *sh = shadow_of(sp);
	unsigned n = 0;

	ret[n++] = frame_make(pc, true, 0);
	for (unsigned i = sh->n; i-- && n < MOST;)
		ret[n++] = frame_make(
			sh->callers[i].pc, sh->callers[i].exact, 0);
	if (sh == &coroutine_shadow) {
		ret[n++] = frame_make(planted, true, 0);
		return n;
	}
	for (unsigned i = 0; i < outer_n && n < MOST; i++)
		ret[n++] = outer[i];
	return n;
}

/* --- Counting --- */

static struct tally {
	uint64_t steps, right, truncated, wrong, unbounded_differs;
	uint64_t oracle_asked, oracle_right;
} tally;

/* The first position of each kind, to be shown. */
struct example {
	frame_t want[MOST], got[MOST];
	unsigned n_want, n_got; /* 0 = none */
};
static struct example first_truncated, first_wrong;

static int oracle;
static uint64_t oracle_every;

static bool equal(const frame_t *a, unsigned na, const frame_t *b, unsigned nb)
{
	return na == nb && memcmp(a, b, na * sizeof(*a)) == 0;
}

static void keep(struct example *e, const frame_t *want, unsigned n_want,
	const frame_t *got, unsigned n_got)
{
	if (e->n_got)
		return;
	memcpy(e->want, want, n_want * sizeof(*want));
	memcpy(e->got, got, n_got * sizeof(*got));
	e->n_want = n_want;
	e->n_got = n_got;
}

static void compare_ours(const ucontext_t *uc, const frame_t *want, unsigned n)
{
	static frame_t got[MOST], probed[MOST];
	enum unwind_end end, probed_end;
	struct arch_regs regs;
	unsigned n_got, n_probed;

	arch_regs_from_ucontext(&regs, uc);
	n_got = unwind(NULL, &regs, true, region_bounds[MAIN], got, MOST, &end);
	n_probed = unwind(NULL, &regs, true, (struct unwind_bounds){ 0, 0 },
		probed, MOST, &probed_end);
	tally.unbounded_differs += end == UNWIND_COMPLETE &&
				   !equal(got, n_got, probed, n_probed);
	if (end == UNWIND_COMPLETE && equal(got, n_got, want, n)) {
		tally.right++;
	} else if (end == UNWIND_COMPLETE) {
		tally.wrong++;
		keep(&first_wrong, want, n, got, n_got);
	} else {
		tally.truncated++;
		keep(&first_truncated, want, n, got, n_got);
	}
}

static void compare_oracle(ucontext_t *uc, const frame_t *want, unsigned n)
{
	unw_cursor_t cursor;
	unsigned i = 0;
	unw_word_t ip;

	tally.oracle_asked++;
	if (unw_init_local2(&cursor, uc, UNW_INIT_SIGNAL_FRAME))
		return;
	do {
		if (unw_get_reg(&cursor, UNW_REG_IP, &ip) || i == n ||
			ip != frame_pc(want[i]))
			return;
		i++;
	} while (unw_step(&cursor) > 0);
	/* It may leave out a coroutine's planted start. */
	tally.oracle_right += i == n || (i + 1 == n && frame_is_exact(want[i]));
}

/* --- Stepping --- */

static volatile bool stepping;

static void start_here(ucontext_t *uc)
{
	static frame_t here[MOST];
	enum unwind_end end;
	struct arch_regs regs;
	unsigned n;

	arch_regs_from_ucontext(&regs, uc);
	n = unwind(NULL, &regs, true, region_bounds[MAIN], here, MOST, &end);
	outer_n = end == UNWIND_COMPLETE ? n - 1 : 0;
	memcpy(outer, here + 1, outer_n * sizeof(*outer));
	main_shadow.n = coroutine_shadow.n = 0;
	last_pc = regs.r[ARCH_REG_PC];
	last_sp = regs.r[ARCH_REG_RSP];
	uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	static frame_t want[MOST + 2];
	ucontext_t *uc = context;
	uint64_t pc = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	uint64_t sp = (uint64_t)uc->uc_mcontext.gregs[REG_RSP];
	unsigned n;

	(void)sig;
	if (info->si_code == SI_KERNEL) {
		start_here(uc);
		return;
	}
	if (!stepping) {
		uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	follow(pc, sp);
	n = truth(pc, sp, want);
	tally.steps++;
	compare_ours(uc, want, n);
	if (oracle && tally.steps % oracle_every == 0)
		compare_oracle(uc, want, n);
}

static PP_NOINLINE void run_stepped(void (*body)(void))
{
	stepping = true;
	__asm__ volatile("int3");
	body();
	stepping = false;
	__asm__ volatile("nop; nop");
}

static int scale = 1; /* 4 in the long test */

static void show_frames(const char *what, const frame_t *frames, unsigned n)
{
	printf("#     %s:", what);
	for (unsigned i = 0; i < n && i < 8; i++) {
		Dl_info d = { 0 };
		uint64_t pc = frame_pc(frames[i]);
		const char *file;

		(void)dladdr((void *)pc, &d);
		file = d.dli_fname ? strrchr(d.dli_fname, '/') : NULL;
		printf(" %s+0x%lx",
			d.dli_sname ? d.dli_sname
			: file	    ? file + 1
				    : "?",
			(unsigned long)(pc -
					(uint64_t)(uintptr_t)(d.dli_sname
								      ? d.dli_saddr
								      : d.dli_fbase)));
	}
	printf("%s\n", n > 8 ? " ..." : "");
}

static void show_example(const char *what, struct example *e)
{
	if (!e->n_got)
		return;
	printf("#   first %s of %u frames\n", what, e->n_want);
	show_frames("want", e->want, e->n_want);
	show_frames("got ", e->got, e->n_got);
	e->n_got = 0;
}

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

/* Step through the body and check that at least `least` percent of positions
 * are right and at most `lies` percent wrong. */
static void step_class(const char *name, void (*body)(void), int asks,
	uint64_t least_steps, double least, double lies)
{
	memset(&tally, 0, sizeof(tally));
	oracle = asks;
	run_stepped(body);
	printf("# %-34s %8" PRIu64 " positions, right %7.3f %%, truncated "
	       "%.3f %%, wrong %.3f %%; libunwind ",
		name, tally.steps, percent(tally.right, tally.steps),
		percent(tally.truncated, tally.steps),
		percent(tally.wrong, tally.steps));
	if (tally.oracle_asked)
		printf("%.2f %%\n",
			percent(tally.oracle_right, tally.oracle_asked));
	else
		printf("not asked\n");
	show_example("truncated", &first_truncated);
	show_example("wrong", &first_wrong);
	CHECK(tally.steps >= least_steps);
	CHECK(outer_n >= 2);
	CHECK(percent(tally.right, tally.steps) >= least);
	CHECK(percent(tally.wrong, tally.steps) <= lies);
	CHECK_EQ(tally.unbounded_differs, 0);
}

static void start_stepping(void)
{
	struct sigaction sa = { .sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_size = 1 << 20 };
	pthread_attr_t attr;
	size_t size;
	void *lo;

	ss.ss_sp = malloc(ss.ss_size);
	region_bounds[ALT].lo = (uint64_t)(uintptr_t)ss.ss_sp;
	region_bounds[ALT].hi = region_bounds[ALT].lo + ss.ss_size;
	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	CHECK_EQ(sigaction(SIGTRAP, &sa, NULL), 0);
	CHECK_EQ(pthread_getattr_np(pthread_self(), &attr), 0);
	CHECK_EQ(pthread_attr_getstack(&attr, &lo, &size), 0);
	(void)pthread_attr_destroy(&attr);
	region_bounds[MAIN].lo = (uint64_t)(uintptr_t)lo;
	region_bounds[MAIN].hi = region_bounds[MAIN].lo + size;
}

#endif
