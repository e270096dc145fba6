/*
 * test_singlestep.c - is the walk right at every single instruction?
 *
 * The processor's trap flag stops this program after each instruction of a
 * body of code. The handler keeps the truth in a shadow stack (it sees each
 * call push its return address, and each return address go), unwinds, and
 * compares. libunwind unwinds from the same place where that can neither
 * deadlock nor crash, every few instructions: the column beside ours.
 *
 * Per class of code there is a minimum of positions from which every caller
 * must be found. "wrong" are walks that claim to be complete and are not: a
 * walk may fail, but it must not lie.
 *
 * PPROFC_TEST_LONG=1 runs larger bodies and asks libunwind at each position.
 */
#include "pp.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <pthread.h>

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

/* --- Bodies --- */

static volatile int sink;

static PP_NOINLINE int many_saved(int a, int b, int c, int n)
{
	int x[6] = { a, b, c, a ^ b, b ^ c, a ^ c };

	for (int i = 0; i < n; i++)
		for (int k = 0; k < 6; k++)
			x[k] = x[k] * 31 + x[(k + 1) % 6] + sink;
	return x[0] ^ x[1] ^ x[2] ^ x[3] ^ x[4] ^ x[5];
}

static PP_NOINLINE int recursion(int n, int a, int b)
{
	volatile char room[40];

	room[n % 40] = (char)a;
	if (n <= 0)
		return many_saved(a, b, n, 2);
	return recursion(n - 1, b, a + 1) + recursion(n - 2, a, b) +
	       room[n % 40];
}

static void prologues(void)
{
	sink += recursion(10 + scale / 2, 1, 2);
}

static void libc_memory(void)
{
	static char a[4096], b[4096];

	for (size_t n = 1; n < 1500; n = n * 3 / 2 + 1) {
		memset(a, 'x', n);
		memcpy(b, a, n);
		memmove(b + 1, b, n);
		b[n] = '\0';
		sink += memcmp(a, b, n) + (int)strlen(b);
		sink += strchr(b, 'y') != NULL;
		sink += memchr(b, 'z', n) != NULL;
		sink += (int)strnlen(b, n) + strcmp(a, b) + strncmp(a, b, n);
		sink += strrchr(b, 'x') != NULL;
	}
}

static void vdso(void)
{
	struct timespec ts;
	unsigned cpu;

	for (int i = 0; i < 20 * scale; i++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		clock_gettime(CLOCK_REALTIME_COARSE, &ts);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
		sink += (int)time(NULL) + getcpu(&cpu, NULL);
	}
}

static int (*plt_function)(const char *);
static void *plt_library;

static void lazy_plt(void)
{
	sink += plt_function("123");
	sink += plt_function("45");
}

static int (*throw_function)(int);

static void throwing(void)
{
	sink += throw_function(5 + scale);
}

static void on_usr1(int sig)
{
	sink += recursion(4, sig, 1);
}

static void in_handler(void)
{
	for (int i = 0; i < 3; i++)
		sink += kill(getpid(), SIGUSR1);
}

static void open_and_close(void)
{
	for (int i = 0; i < 2; i++) {
		void *p = dlopen("libz.so.1", RTLD_NOW);

		sink += p && dlsym(p, "deflate") != NULL;
		unwind_invalidate(); /* as our hook of dlclose does */
		if (p)
			dlclose(p);
	}
}

static jmp_buf jump;

static PP_NOINLINE void jump_out(int n)
{
	sink += many_saved(n, 2, 3, 2);
	if (n <= 0)
		longjmp(jump, 1);
	if (sink != -1) /* so that the compiler sees an end */
		jump_out(n - 1);
	sink++;
}

static PP_NOINLINE void set_and_jump(int n)
{
	if (setjmp(jump) == 0)
		jump_out(n);
	sink += many_saved(n, 1, 2, 20);
}

static void jumps(void)
{
	for (int i = 0; i < 10 * scale; i++)
		set_and_jump(i % 7);
}

static PP_NOINLINE __attribute__((noreturn)) void never_back(int n)
{
	sink += many_saved(n, 2, 3, 20);
	longjmp(jump, 1);
}

/* The call is the last instruction of the function. */
static PP_NOINLINE __attribute__((noreturn)) void calls_never_back(int n)
{
	volatile char room[100];

	room[n] = 1;
	never_back(n + room[n]);
}

static PP_NOINLINE void no_return_once(int n)
{
	if (setjmp(jump) == 0)
		calls_never_back(n);
	sink++;
}

static void no_returns(void)
{
	for (int i = 0; i < 20 * scale; i++)
		no_return_once(i % 7);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void library_calls(void)
{
	static const double numbers[] = { 1.5, 1e300, 3.14159265358979e-200,
		123456789.123456789, 0.1, 9.99999999e22 };
	char text[400];
	int v[40];

	for (int i = 0; i < scale; i++) {
		for (unsigned k = 0; k < 40; k++)
			v[k] = (int)(k * 7919 % 41);
		qsort(v, 40, sizeof(*v), by_value);
		for (unsigned k = 0; k < PP_ARRAY_LEN(numbers); k++)
			sink += snprintf(text, sizeof(text), "%f %.17g %d %s",
				numbers[k], numbers[k], v[k], "text");
		for (size_t n = 8; n < 300000; n *= 4) {
			char *p = malloc(n), *q = calloc(1, n);

			p = realloc(p, n * 2);
			free(q);
			free(p);
		}
	}
}

/* Locals that need 32 bytes of alignment beside alloca(): the frame is reached
 * through a pointer the compiler keeps on the side. */
__attribute__((target("avx"))) static PP_NOINLINE int realigned(int n)
{
	typedef double vec __attribute__((vector_size(32)));
	volatile vec v = { 1.0 * n, 2.0 * n, 3.0, 4.0 };
	volatile char *room = __builtin_alloca((size_t)n % 50 + 1);
	vec w;

	room[0] = (char)n;
	if (n > 0)
		sink += realigned(n - 1);
	w = v;
	sink += many_saved(n, (int)w[0], room[0], 20);
	return (int)w[1];
}

static void avx_alloca(void)
{
	for (int i = 0; i < 4 * scale; i++)
		sink += realigned(i % 5);
}

static ucontext_t coroutine, resumed;

static void coroutine_main(void)
{
	for (int i = 0; i < 6 * scale; i++) {
		sink += recursion(5, i, 2);
		swapcontext(&coroutine, &resumed);
	}
}

static void coroutines(void)
{
	for (int i = 0; i < 6 * scale; i++) {
		sink += recursion(4, i, 1);
		swapcontext(&resumed, &coroutine);
	}
}

/* Generated code: f(callback, n): n times { callback(); inner(callback) },
 * inner(callback): callback(). Both keep a frame pointer. */
static const uint8_t jit_outer[] = {
	0x55,			      /* push %rbp */
	0x48, 0x89, 0xe5,	      /* mov %rsp,%rbp */
	0x53,			      /* push %rbx */
	0x41, 0x54,		      /* push %r12 */
	0x48, 0x89, 0xfb,	      /* mov %rdi,%rbx */
	0x49, 0x89, 0xf4,	      /* mov %rsi,%r12 */
	0xff, 0xd3,		      /* 1: call *%rbx */
	0x48, 0x89, 0xdf,	      /* mov %rbx,%rdi */
	0xe8, 0x29, 0x00, 0x00, 0x00, /* call inner, at 0x40 */
	0x90, 0x90, 0x90,	      /* nop x 3 */
	0x49, 0xff, 0xcc,	      /* dec %r12 */
	0x75, 0xee,		      /* jne 1b */
	0x41, 0x5c,		      /* pop %r12 */
	0x5b,			      /* pop %rbx */
	0x5d,			      /* pop %rbp */
	0xc3,			      /* ret */
};
static const uint8_t jit_inner[] = {
	0x55,			/* push %rbp */
	0x48, 0x89, 0xe5,	/* mov %rsp,%rbp */
	0x48, 0x83, 0xec, 0x20, /* sub $32,%rsp */
	0xff, 0xd7,		/* call *%rdi */
	0x31, 0xc0,		/* xor %eax,%eax */
	0xc9,			/* leave */
	0xc3,			/* ret */
};
/* The inner one without a frame pointer: sub $24,%rsp; call; add; ret */
static const uint8_t jit_bare[] = { 0x48, 0x83, 0xec, 0x18, 0xff, 0xd7, 0x90,
	0x90, 0x48, 0x83, 0xc4, 0x18, 0xc3 };

typedef void jit_fn(void (*callback)(void), long n);
static jit_fn *jit_code;

static void jit_callback(void)
{
	sink += many_saved(1, 2, 3, 3);
}

static void jit_load(const uint8_t *inner, size_t size)
{
	static uint8_t *p;

	if (!p)
		p = mmap(NULL, PP_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(p, jit_outer, sizeof(jit_outer));
	memcpy(p + 0x40, inner, size);
	*(void **)&jit_code = p;
}

static void generated(void)
{
	jit_code(jit_callback, 10 * scale);
}

/* --- Tests --- */

static const char *target(const char *name)
{
	static char path[512];
	const char *build = getenv("PPROFC_BUILD");

	(void)snprintf(path, sizeof(path), "%s/targets/%s",
		build ? build : PPROFC_BUILD, name);
	return path;
}

static void *function(const char *library, const char *name, int flags)
{
	void *handle = dlopen(target(library), flags);

	if (!handle)
		printf("# %s\n", dlerror());
	unwind_invalidate();
	plt_library = handle;
	return handle ? dlsym(handle, name) : NULL;
}

TEST(prologues_and_epilogues_without_frame_pointer)
{
	step_class("prologues, no frame pointer", prologues, ORACLE_LIBUNWIND,
		10000, 100, 0);
}

TEST(lazy_plt_and_resolver)
{
	*(void **)&plt_function = function(
		"libstep_plt.so", "step_plt", RTLD_LAZY);
	CHECK(plt_function != NULL);
	if (plt_function)
		step_class("lazy PLT and resolver", lazy_plt, ORACLE_LIBUNWIND,
			3000, 100, 0);
}

TEST(libc_memory_and_strings)
{
	step_class(
		"libc mem*, str*", libc_memory, ORACLE_LIBUNWIND, 5000, 100, 0);
}

TEST(vdso_functions)
{
	step_class("vdso", vdso, ORACLE_LIBUNWIND, 1000, 100, 0);
}

TEST(handler_on_its_own_stack)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_ONSTACK };

	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	target_handler = (uint64_t)(uintptr_t)on_usr1;
	step_class("in a handler, on sigaltstack", in_handler, ORACLE_LIBUNWIND,
		1000, 100, 0);
	target_handler = 0;
}

TEST(cxx_throw_and_catch)
{
	*(void **)&throw_function = function(
		"libstep_throw.so", "step_throw", RTLD_NOW);
	CHECK(throw_function != NULL);
	if (!throw_function)
		return;
	sink += throw_function(2); /* loads what is loaded once */
	/* While the runtime lands, it has overwritten the saved registers and
	 * the return address of its own frame with the landing pad's: 0.9 %. */
	step_class("C++ throw and catch", throwing, ORACLE_LIBUNWIND, 20000,
		98.9, 0.3);
}

TEST(dlopen_and_dlclose)
{
	/* libunwind deadlocks in this one. The few instructions of the
	 * library's _init and _fini have no unwind information. */
	step_class("dlopen, dlclose", open_and_close, ORACLE_NONE, 20000, 99.98,
		0);
}

TEST(setjmp_and_longjmp)
{
	step_class("setjmp, longjmp", jumps, ORACLE_LIBUNWIND, 5000, 99.9, 0);
}

TEST(calls_that_do_not_return)
{
	step_class("calls that do not return", no_returns, ORACLE_LIBUNWIND,
		5000, 99.9, 0);
}

TEST(qsort_malloc_printf)
{
	step_class("qsort, malloc, printf(\"%f\")", library_calls,
		ORACLE_LIBUNWIND, 20000, 99.9, 0);
}

TEST(avx_beside_alloca)
{
	if (!__builtin_cpu_supports("avx")) {
		printf("# no AVX here\n");
		return;
	}
	/* libunwind crashes in this one. */
	step_class("AVX + alloca, realigned stack", avx_alloca, ORACLE_NONE,
		5000, 99.9, 0);
}

TEST(coroutines_up_to_their_entry)
{
	static char stack[64 * 1024];

	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = sizeof(stack);
	coroutine.uc_link = &resumed;
	makecontext(&coroutine, coroutine_main, 0);
	planted = *(uint64_t *)coroutine.uc_mcontext.gregs[REG_RSP];
	region_bounds[COROUTINE].lo = (uint64_t)(uintptr_t)stack;
	region_bounds[COROUTINE].hi = region_bounds[COROUTINE].lo +
				      sizeof(stack);
	/* Between two stacks neither is right: 5 instructions of each switch
	 * already have the other's stack pointer. */
	step_class("coroutine, up to its entry", coroutines, ORACLE_LIBUNWIND,
		2000, 99.3, 0.25);
}

TEST(generated_code_with_frame_pointer)
{
	jit_load(jit_inner, sizeof(jit_inner));
	step_class("JIT code with frame pointer", generated, ORACLE_LIBUNWIND,
		1000, 99.94, 0);
}

TEST(generated_code_without_anything)
{
	jit_load(jit_bare, sizeof(jit_bare));
	/* No minimum: what counts is that no frame is left out unseen. */
	step_class("JIT code without frame pointer", generated,
		ORACLE_LIBUNWIND, 1000, 0, 0.5);
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

int main(void)
{
	bool is_long = getenv("PPROFC_TEST_LONG") != NULL;

	scale = is_long ? 4 : 1;
	oracle_every = is_long ? 1 : 17;
	setvbuf(stdout, NULL, _IOLBF, 0);
	unwind_start();
	CHECK_EQ(unwind_prepare(), 0);
	start_stepping();
	RUN(prologues_and_epilogues_without_frame_pointer);
	RUN(lazy_plt_and_resolver);
	RUN(libc_memory_and_strings);
	RUN(vdso_functions);
	RUN(handler_on_its_own_stack);
	RUN(cxx_throw_and_catch);
	RUN(dlopen_and_dlclose);
	RUN(setjmp_and_longjmp);
	RUN(calls_that_do_not_return);
	RUN(qsort_malloc_printf);
	RUN(avx_beside_alloca);
	RUN(coroutines_up_to_their_entry);
	RUN(generated_code_with_frame_pointer);
	RUN(generated_code_without_anything);
	return test_done();
}
