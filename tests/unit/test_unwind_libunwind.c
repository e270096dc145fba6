/*
 * test_unwind_libunwind.c - libunwind through our accessors gives the stacks
 * that our own rules give, and asks neither malloc nor the loader.
 *
 * BUILD: -Wl,--wrap=_Ux86_64_step -Wl,--wrap=dl_iterate_phdr
 */
#include "pp.h"

#include <libunwind.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifecycle.h"
#include "process.h"
#include "test.h"
#include "unwind.h"
#include "unwind_libunwind.h"

#define MOST 128

struct stack_pair {
	frame_t own[MOST], other[MOST];
	unsigned own_depth, other_depth;
	enum unwind_end own_end, other_end;
};

static struct stack_pair pair;
static unsigned most = MOST;
static struct session *session;

/* Without steps there, we would compare our own unwinder with itself. */
static unsigned steps;
int __real__Ux86_64_step(unw_cursor_t *cursor);
int __wrap__Ux86_64_step(unw_cursor_t *cursor);
int __wrap__Ux86_64_step(unw_cursor_t *cursor)
{
	steps++;
	return __real__Ux86_64_step(cursor);
}

static unsigned loader_calls;
int __wrap_dl_iterate_phdr(void *callback, void *arg);
int __wrap_dl_iterate_phdr(void *callback, void *arg)
{
	(void)callback;
	(void)arg;
	loader_calls++;
	return 0;
}

/* libc's own names, to count calls of malloc during a walk. */
extern void *__libc_malloc(size_t size);
static int mallocs;
void *malloc(size_t size)
{
	mallocs++;
	return __libc_malloc(size);
}

static __attribute__((noinline)) void walk_both(void)
{
	struct unwind_bounds unknown = { 0, 0 };
	struct arch_regs regs;

	arch_regs_here(&regs);
	pair.own_depth = unwind(
		session, &regs, false, unknown, pair.own, most, &pair.own_end);
	mallocs = 0;
	steps = 0;
	pair.other_depth = unwind_libunwind(
		session, &regs, unknown, pair.other, most, &pair.other_end);
	CHECK_EQ(mallocs, 0);
	CHECK_EQ(loader_calls, 0);
	CHECK_EQ(steps, pair.other_depth);
}

static void check_equal(unsigned at_least)
{
	CHECK(pair.own_depth >= at_least);
	CHECK_EQ(pair.other_depth, pair.own_depth);
	CHECK_EQ(pair.other_end, pair.own_end);
	for (unsigned i = 0; i < pair.own_depth && i < pair.other_depth; i++)
		CHECK_EQ(pair.other[i], pair.own[i]);
}

static __attribute__((noinline)) int deep(int n, volatile int *sum)
{
	if (n == 0)
		walk_both();
	else
		*sum += deep(n - 1, sum);
	return *sum;
}

TEST(libunwind_gives_the_same_deep_stack)
{
	volatile int sum = 0;

	(void)deep(40, &sum);
	check_equal(41);
	CHECK_EQ(pair.own_end, UNWIND_COMPLETE);
}

static int compare(const void *a, const void *b)
{
	walk_both();
	return *(const int *)a - *(const int *)b;
}

TEST(libunwind_gives_the_same_stack_through_libc)
{
	int numbers[] = { 3, 1 };

	qsort(numbers, 2, sizeof(numbers[0]), compare);
	check_equal(4);
}

static void handler(int sig)
{
	(void)sig;
	walk_both();
}

TEST(libunwind_gives_the_same_stack_through_a_signal)
{
	(void)signal(SIGUSR1, handler);
	(void)raise(SIGUSR1);
	check_equal(4);
}

TEST(libunwind_stops_at_the_depth)
{
	volatile int sum = 0;

	most = 10;
	(void)deep(40, &sum);
	most = MOST;
	check_equal(10);
	CHECK_EQ(pair.other_end, UNWIND_DEPTH);
}

TEST(libunwind_ends_at_code_without_information)
{
	struct arch_regs regs;
	struct unwind_bounds unknown = { 0, 0 };
	frame_t frames[MOST];
	enum unwind_end end = UNWIND_COMPLETE;

	arch_regs_here(&regs);
	regs.r[ARCH_REG_PC] = (uintptr_t)&regs; /* on the stack */
	CHECK_EQ(unwind_libunwind(session, &regs, unknown, frames, MOST, &end),
		1);
	CHECK_EQ(end, UNWIND_TRUNCATED);
}

TEST(libunwind_survives_damaged_registers)
{
	struct unwind_bounds unknown = { 0, 0 };
	frame_t frames[MOST];
	enum unwind_end end;

	for (uint64_t i = 0; i < 2000; i++) {
		struct arch_regs regs;

		arch_regs_here(&regs);
		regs.r[i % 2 ? ARCH_REG_RSP : ARCH_REG_RBP] = pp_mix(i) >>
							      (i % 60);
		CHECK(unwind_libunwind(session, &regs, unknown, frames, MOST,
			      &end) >= 1);
	}
}

/* --- forks in the middle of another thread's walks ------------------------ */

#define FORKS 300

static _Atomic bool enough;

static void *walks(void *unused)
{
	struct unwind_bounds unknown = { 0, 0 };
	frame_t frames[MOST];
	struct arch_regs regs;
	enum unwind_end end;

	arch_regs_here(&regs);
	while (!atomic_load(&enough))
		(void)unwind_libunwind(
			session, &regs, unknown, frames, MOST, &end);
	return unused;
}

/* Does a child get its stack from libunwind? */
static bool child_walks_with_libunwind(void)
{
	int status = -1;
	pid_t pid;

	lifecycle_fork_prepare();
	pid = fork();
	if (pid == 0) {
		lifecycle_fork_child();
		session = process_session();
		walk_both();
		_exit(steps == 0);
	}
	lifecycle_fork_parent();
	(void)waitpid(pid, &status, 0);
	return status == 0;
}

TEST(forked_child_walks_with_libunwind)
{
	pthread_t thread;
	int with = 0;

	CHECK_EQ(pthread_create(&thread, NULL, walks, NULL), 0);
	for (int i = 0; i < FORKS; i++)
		with += child_walks_with_libunwind();
	atomic_store(&enough, true);
	(void)pthread_join(thread, NULL);
	/* A walk whose thread has lost the processor is not waited for. */
	CHECK(with > FORKS / 2);
	printf("# %d of %d\n", with, FORKS);
}

int main(void)
{
	process.settings = (struct settings){
		.memory_bytes = 16 << 20,
		.max_depth = MOST,
		.session_place = SESSION_ANONYMOUS,
	};
	unwind_start();
	unwind_libunwind_start();
	process_start();
	session = process_session();
	CHECK(session != NULL);
	RUN(libunwind_gives_the_same_deep_stack);
	RUN(libunwind_gives_the_same_stack_through_libc);
	RUN(libunwind_gives_the_same_stack_through_a_signal);
	RUN(libunwind_stops_at_the_depth);
	RUN(libunwind_ends_at_code_without_information);
	RUN(libunwind_survives_damaged_registers);
	RUN(forked_child_walks_with_libunwind);
	return test_done();
}
