/*
 * test_unwind.c - walks over stacks whose callers are known: nested calls,
 * threads, handlers, coroutines.
 */
#include "pp.h"

#include "walks.h"

/* What each level was told by the compiler about its caller. */
static uint64_t expected[MOST];
static unsigned levels;

static PP_NOINLINE int recurse(int n)
{
	volatile char room[64];

	expected[n] = (uint64_t)(uintptr_t)__builtin_return_address(0);
	room[0] = (char)n;
	if (n == 0)
		walk_here();
	else
		recurse(n - 1);
	return room[0];
}

/* Frames 2.. are recurse(0), recurse(1) ...'s callers. */
static void check_levels(unsigned first)
{
	for (unsigned i = 0; i < levels; i++)
		CHECK_EQ(frame_pc(frames[first + i]), expected[i]);
}

TEST(nested_calls_give_every_caller)
{
	levels = 40;
	recurse((int)levels - 1);
	CHECK_EQ(end, UNWIND_COMPLETE);
	CHECK(depth >= levels + 4);
	check_levels(2);
}

static frame_t before[MOST];
static unsigned depth_before;

static PP_NOINLINE void recurse_and_keep(bool keep)
{
	levels = 10;
	recurse((int)levels - 1);
	if (!keep)
		return;
	memcpy(before, frames, sizeof(before));
	depth_before = depth;
}

TEST(a_second_walk_gives_the_same)
{
	recurse_and_keep(true);
	recurse_and_keep(false);
	CHECK_EQ(depth_before, depth);
	for (unsigned i = 0; i < levels + 2; i++)
		CHECK_EQ(before[i], frames[i]);
}

TEST(most_frames_end_in_depth)
{
	struct arch_regs regs;
	frame_t few[4] = { 0 };

	arch_regs_here(&regs);
	CHECK_EQ(unwind(session, &regs, false, NO_BOUNDS, few, 3, &end), 3);
	CHECK_EQ(end, UNWIND_DEPTH);
	CHECK_EQ(few[3], 0);
}

static void *thread_main(void *arg)
{
	levels = 5;
	recurse((int)levels - 1);
	return arg;
}

TEST(threads_end_at_their_start)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, thread_main, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(end, UNWIND_COMPLETE);
	check_levels(2);
	CHECK(depth <= levels + 5);
}

/* --- Handlers --- */

static uint64_t interrupted_pc;
static frame_t from_context[MOST];
static unsigned context_depth;
static enum unwind_end context_end;

static void handler(int sig, siginfo_t *info, void *uc)
{
	struct arch_regs regs;

	(void)sig;
	(void)info;
	arch_regs_from_ucontext(&regs, uc);
	interrupted_pc = regs.r[ARCH_REG_PC];
	context_depth = unwind(session, &regs, true, NO_BOUNDS, from_context,
		MOST, &context_end);
	walk_here();
}

static PP_NOINLINE void interrupted(int n)
{
	expected[n] = (uint64_t)(uintptr_t)__builtin_return_address(0);
	if (n)
		interrupted(n - 1);
	else
		__asm__ volatile("ud2");
	__asm__ volatile("");
}

static void skip_ud2(int sig, siginfo_t *info, void *uc)
{
	handler(sig, info, uc);
	((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void run_in_handler(int flags)
{
	struct sigaction sa = { .sa_sigaction = skip_ud2,
		.sa_flags = SA_SIGINFO | flags },
			 old;

	CHECK_EQ(sigaction(SIGILL, &sa, &old), 0);
	levels = 6;
	interrupted((int)levels - 1);
	CHECK_EQ(sigaction(SIGILL, &old, NULL), 0);
}

static void check_handler(void)
{
	unsigned at = 0;

	CHECK_EQ(context_end, UNWIND_COMPLETE);
	CHECK_EQ(end, UNWIND_COMPLETE);
	CHECK_EQ(frame_pc(from_context[0]), interrupted_pc);
	CHECK(frame_is_exact(from_context[0]));
	for (unsigned i = 0; i < levels; i++)
		CHECK_EQ(frame_pc(from_context[1 + i]), expected[i]);
	/* Through the trampoline: the interrupted frame is exact there, too. */
	while (at < depth && frame_pc(frames[at]) != interrupted_pc)
		at++;
	CHECK(at > 2 && at < 8);
	CHECK(frame_is_exact(frames[at]));
	check_levels(at + 1);
}

TEST(handler_sees_what_it_interrupted)
{
	run_in_handler(0);
	check_handler();
}

TEST(handler_on_its_own_stack_sees_the_same)
{
	stack_t ss = { .ss_size = 64 * 1024 }, old;

	ss.ss_sp = malloc(ss.ss_size);
	CHECK_EQ(sigaltstack(&ss, &old), 0);
	run_in_handler(SA_ONSTACK);
	CHECK_EQ(sigaltstack(&old, NULL), 0);
	free(ss.ss_sp);
	check_handler();
}

/* --- Coroutines --- */

static ucontext_t coroutine, main_context;

static void coroutine_main(void)
{
	levels = 4;
	recurse((int)levels - 1);
	__asm__ volatile(""); /* no tail call */
}

TEST(coroutine_ends_at_its_entry)
{
	size_t size = 64 * 1024;
	char *stack = malloc(size);

	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = size;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, coroutine_main, 0);
	swapcontext(&main_context, &coroutine);
	free(stack);
	CHECK_EQ(end, UNWIND_COMPLETE);
	check_levels(2);
	/* The last one is code that has not run yet. */
	CHECK_EQ(depth, levels + 3);
	CHECK(frame_is_exact(frames[depth - 1]));
	CHECK(!frame_is_exact(frames[depth - 2]));
}

/* The context of a small coroutine: what a cold walk, with a library never met
 * before, takes of the stack. */
#define COLD_WALK_BYTES 2048

static void cold_walk(void)
{
	unwind_invalidate();
	walk_here();
	__asm__ volatile("");
}

static PP_NOINLINE size_t bytes_used(const unsigned char *stack, size_t size)
{
	size_t left = 0;

	while (left < size && stack[left] == 0xa5)
		left++;
	return size - left;
}

TEST(a_cold_walk_needs_little_stack)
{
	static _Alignas(16) unsigned char stack[32 * 1024];
	struct session *kept = session, *fresh;
	size_t used;

	CHECK_EQ(session_create(&kept->settings, &fresh), 0);
	session = fresh;
	memset(stack, 0xa5, sizeof(stack));
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = sizeof(stack);
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, cold_walk, 0);
	swapcontext(&main_context, &coroutine);
	used = bytes_used(stack, sizeof(stack));
	printf("# a cold walk took %zu bytes of stack\n", used);
	CHECK(used <= COLD_WALK_BYTES);
	CHECK_EQ(end, UNWIND_COMPLETE);
	session = kept;
	session_close(fresh);
	unwind_invalidate();
}

/* --- Modules and generations --- */

TEST(frames_name_their_modules)
{
	const struct module *m;

	levels = 1;
	recurse(0);
	m = module_of(frames[0]);
	CHECK(m && m->is_main && m->kind == MODULE_FILE);
	CHECK(m && strstr(module_path(session, m), "test_unwind"));
	CHECK(m && module_path(session, m)[0] == '/');
	CHECK(m && m->build_id_len == 20);
	CHECK(m &&
		(uint64_t)(uintptr_t)recurse - m->start < m->limit - m->start);
	m = module_of(frames[depth - 2]);
	CHECK(m && !m->is_main && strstr(module_path(session, m), "libc"));
}

TEST(the_vdso_is_a_module)
{
	uint64_t base = 0;
	const struct module *m;
	frame_t f;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]"))
			base = strtoull(line, NULL, 16);
	fclose(maps);
	f = unwind_frame_of(session, base + 0x800, true);
	m = module_of(f);
	CHECK(m && m->kind == MODULE_VDSO && m->build_id_len > 0);
	CHECK(m && strcmp(module_path(session, m), "[vdso]") == 0);
}

TEST(invalidation_voids_rules_through_a_whole_round)
{
	uint32_t first = rules_generation();

	rules_put(0x1000, first, rule_make(RULE_END, 0, 0));
	CHECK(rules_get(0x1000, first) != 0);
	for (int i = 0; i < 131072; i++) {
		rules_invalidate();
		if (i % 1000 == 0)
			CHECK_EQ(rules_get(0x1000, rules_generation()), 0);
	}
	CHECK_EQ(rules_generation(), first);
	CHECK_EQ(rules_get(0x1000, first), 0);
}

TEST(without_the_loader_our_own_table_gives_the_same)
{
	unwind_invalidate();
	recurse_and_keep(true);
	find_module_use_own(true);
	unwind_invalidate();
	recurse_and_keep(false);
	find_module_use_own(false);
	unwind_invalidate();
	CHECK_EQ(end, UNWIND_COMPLETE);
	CHECK_EQ(depth_before, depth);
	for (unsigned i = 0; i < levels + 2; i++)
		CHECK_EQ(before[i], frames[i]);
	CHECK_EQ(before[depth - 1], frames[depth - 1]);
}

int main(void)
{
	if (!begin_walks())
		return 2;
	RUN(nested_calls_give_every_caller);
	RUN(a_second_walk_gives_the_same);
	RUN(most_frames_end_in_depth);
	RUN(threads_end_at_their_start);
	RUN(handler_sees_what_it_interrupted);
	RUN(handler_on_its_own_stack_sees_the_same);
	RUN(coroutine_ends_at_its_entry);
	RUN(a_cold_walk_needs_little_stack);
	RUN(frames_name_their_modules);
	RUN(the_vdso_is_a_module);
	RUN(without_the_loader_our_own_table_gives_the_same);
	RUN(invalidation_voids_rules_through_a_whole_round);
	return test_done();
}
