/*
 * test_lifecycle_end.c - an exec that fails while other threads end or exec, in
 * each order, by the calls the hooks make. One CPU profile in a directory of
 * the test's own.
 */
#include "pp.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmt.h"
#include "lifecycle.h"
#include "process.h"
#include "residual.h"
#include "test.h"
#include "unwind.h"

static char directory[] = "/tmp/test_lifecycle_end.XXXXXX";

static unsigned count_files(bool remove_them)
{
	char path[PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	DIR *d = opendir(directory);

	while (d && (e = readdir(d))) {
		if (!strstr(e->d_name, ".pb.gz"))
			continue;
		n++;
		(void)fmt(path, sizeof(path), "%s/%s", directory, e->d_name);
		if (remove_them)
			(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
	return n;
}

static unsigned files(void)
{
	return count_files(false);
}

static void sample(void)
{
	residual_charge(FRAME_THREAD_END, 0, 3, NULL);
}

static bool records(void)
{
	return process_records(PROFILE_CPU) && !atomic_load(&process.closed);
}

/* A process of its own for each case: it ends but once. Returns how many
 * profiles it has left; -1 = a check failed. */
static int in_child(void (*fn)(void))
{
	int status = -1, left;
	pid_t pid;

	lifecycle_fork_prepare();
	pid = fork();
	if (pid == 0) {
		test_failures_here = 0;
		lifecycle_fork_child();
		sample();
		fn();
		(void)fflush(stdout);
		_exit(test_failures_here);
	}
	lifecycle_fork_parent();
	(void)waitpid(pid, &status, 0);
	left = (int)count_files(true);
	return status == 0 ? left : -1;
}

static void fails_then_ends(void)
{
	CHECK(lifecycle_exec_begin());
	CHECK_EQ(files(), 1);
	CHECK(records()); /* what other threads do until it fails */
	sample();
	lifecycle_exec_failed();
	CHECK_EQ(files(), 0);
	CHECK(records());
	lifecycle_finish();
	CHECK_EQ(files(), 1);
	CHECK_EQ(
		session_stat(process_session_peek(), STAT_LOST_CPU_SESSION), 0);
}

TEST(failed_exec_goes_on_until_the_end)
{
	CHECK_EQ(in_child(fails_then_ends), 1);
}

static void ends_meanwhile(void)
{
	CHECK(lifecycle_exec_begin());
	lifecycle_finish(); /* another thread's exit() */
	lifecycle_exec_failed();
	CHECK_EQ(files(), 1);
	CHECK(!records());
	CHECK(!lifecycle_exec_begin());
}

TEST(exec_that_fails_during_an_exit_leaves_the_profile)
{
	CHECK_EQ(in_child(ends_meanwhile), 1);
}

static void dies_meanwhile(void)
{
	CHECK(lifecycle_exec_begin());
	lifecycle_die();
	lifecycle_exec_failed();
}

TEST(exec_that_fails_during_a_fatal_signal_leaves_the_profile)
{
	CHECK_EQ(in_child(dies_meanwhile), 1);
}

static void one_of_two_fails(void)
{
	CHECK(lifecycle_exec_begin());
	CHECK(lifecycle_exec_begin()); /* another thread's */
	lifecycle_exec_failed();
	CHECK_EQ(files(), 1);
	CHECK(records());
}

TEST(one_of_two_execs_that_fails_leaves_the_profile_to_the_other)
{
	CHECK_EQ(in_child(one_of_two_fails), 1);
}

static void both_fail(void)
{
	one_of_two_fails();
	lifecycle_exec_failed();
	CHECK_EQ(files(), 0);
	CHECK(records());
}

TEST(two_execs_that_fail_leave_nothing)
{
	CHECK_EQ(in_child(both_fail), 0);
}

/* A handler of the host's that forks during the exec comes back into it. */
static void forks_meanwhile(void)
{
	CHECK(lifecycle_exec_begin());
	CHECK_EQ(in_child(lifecycle_exec_failed), 1); /* the parent's */
	lifecycle_exec_failed();
	CHECK(records());
}

TEST(child_of_an_exec_has_nothing_to_withdraw)
{
	CHECK_EQ(in_child(forks_meanwhile), 0);
}

static void start(int sig)
{
	process.settings = (struct settings){
		.profiles = PROFILE_BIT(PROFILE_CPU),
		.cpu_hz = 100,
		.memory_bytes = 4 << 20,
		.max_depth = 128,
		.session_place = SESSION_ANONYMOUS,
		.symbols = SYMBOLS_NONE,
	};
	(void)fmt(process.settings.output, sizeof(process.settings.output),
		"%s/%s", directory, "%p.%k.pb.gz");
	(void)signal(sig, SIG_IGN); /* of timers without a handler */
	process_start();
	unwind_start();
	lifecycle_start(sig);
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	start(SIGRTMAX - 1);
	RUN(failed_exec_goes_on_until_the_end);
	RUN(exec_that_fails_during_an_exit_leaves_the_profile);
	RUN(exec_that_fails_during_a_fatal_signal_leaves_the_profile);
	RUN(one_of_two_execs_that_fails_leaves_the_profile_to_the_other);
	RUN(two_execs_that_fail_leave_nothing);
	RUN(child_of_an_exec_has_nothing_to_withdraw);
	(void)rmdir(directory);
	return test_done();
}
