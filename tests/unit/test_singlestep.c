/*
 * test_singlestep.c - is the walk right at every single instruction?
 *
 * stepping.h stops after each instruction, knows the truth, unwinds, and
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

#include <setjmp.h>
#include <sys/mman.h>

#include "stepping.h"

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

/* Before the last two instructions of longjmp the stack changes: no stack is
 * cut short there. They are called wrong, as the function that the jump goes
 * to, which the walk shows, is one that the shadow stack has no call of. */
#define JUMP_ENDS 0.1

TEST(setjmp_and_longjmp)
{
	step_class("setjmp, longjmp", jumps, ORACLE_LIBUNWIND, 5000, 99.9,
		JUMP_ENDS);
	CHECK_EQ(tally.truncated, 0);
}

TEST(calls_that_do_not_return)
{
	step_class("calls that do not return", no_returns, ORACLE_LIBUNWIND,
		5000, 99.9, JUMP_ENDS);
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

int main(void)
{
	bool is_long = getenv("PPROFC_TEST_LONG") != NULL;

	scale = is_long ? 4 : 1;
	oracle_every = is_long ? 1 : 17;
	setvbuf(stdout, NULL, _IOLBF, 0);
	unwind_start();
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
