/*
 * symbolizer.c - see symbolizer.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "fmt.h"
#include "helper.h"
#include "lock.h"
#include "log.h"
#include "orphan.h"
#include "own_fd.h"
#include "process.h"
#include "reports.h"
#include "symbolizer.h"
#include "symbolizer_find.h"
#include "sys.h"

#define FILES_MAX 64u
#define NAMES_BYTES (32u * 1024)
#define BEFORE_MAX 8u
#define BEFORE_BYTES 512u /* a file with a longer name is not remembered */
#define SECOND_NS UINT64_C(1000000000)

/* The files that are to be done: names, each with its NUL. */
static PP_BIG char names[NAMES_BYTES];
static uint32_t names_used, file_count;

/* Those that were given to the last helpers, which take what they
 * know: the process goes on with much the same code. */
static PP_BIG char before[BEFORE_MAX][BEFORE_BYTES];
static uint32_t before_next, before_count;

static _Atomic bool forbidden;
static bool said_why;	 /* once: the reason stays */
static int detached_pid; /* the last one that was started, 0 = none */

/* One that is kept while the process goes on, and the thread that waits. */
static struct orphan kept;
static _Atomic uint32_t keeping;

/* --- files ---------------------------------------------------------------- */

static bool is_wanted(void)
{
	return process.settings.symbols == SYMBOLS_LINES;
}

static void forget_files(void)
{
	names_used = file_count = 0;
}

/* The helper has got them. One that has been removed since, or that has no
 * lines, does not hurt. */
static void remember_files(void)
{
	const char *name = names;

	for (uint32_t i = 0; i < file_count; i++) {
		size_t bytes = str_len(name) + 1;

		if (bytes <= BEFORE_BYTES) {
			__builtin_memcpy(before[before_next], name, bytes);
			before_next = (before_next + 1) % BEFORE_MAX;
			before_count = PP_MIN(before_count + 1, BEFORE_MAX);
		}
		name += bytes;
	}
}

void symbolizer_add(const char *path)
{
	size_t bytes = str_len(path) + 1;

	if (!is_wanted())
		return;
	if (file_count == FILES_MAX || bytes > NAMES_BYTES - names_used) {
		log_line("%u profiles keep names only: the helper that adds "
			 "source lines is behind",
			file_count);
		forget_files();
	}
	__builtin_memcpy(names + names_used, path, bytes);
	names_used += (uint32_t)bytes;
	file_count++;
}

/* --- whether -------------------------------------------------------------- */

static void say_why_not(const char *why, const char *what)
{
	if (said_why)
		return;
	said_why = true;
	log_line("no source lines: %s%s", why, what);
}

/* The helper's comm, up to what the kernel keeps of it. A process that ended
 * and that nobody has waited for does nothing any more. */
static bool is_working(int pid)
{
	static const char comm[] = "(pprofc-symboliz) ";
	char path[64], text[128];
	struct own_fd f;
	const char *s;
	long n;

	(void)fmt(path, sizeof(path), "/proc/%d/stat", pid);
	if (own_fd_open(&f, path, O_RDONLY, 0) != 0)
		return false;
	n = own_fd_is_ours(&f) ? sys_read(f.fd, text, sizeof(text) - 1) : 0;
	(void)own_fd_close(&f);
	text[PP_MAX(n, 0)] = '\0';
	for (s = text; *s && *s != ' '; s++)
		;
	if (!*s || __builtin_strncmp(s + 1, comm, sizeof(comm) - 1) != 0)
		return false;
	s += sizeof(comm);
	return *s != 'Z' && *s != 'X';
}

static bool is_busy(void)
{
	return atomic_load(&keeping) ||
	       (detached_pid && is_working(detached_pid));
}

/* `pprofc run` reads our log when the program has ended, and does it all with
 * one helper. It removes the file before it reads: what was said while that was
 * there is read. */
static bool run_does_it(void)
{
	const char *status = process.settings.status_path;
	struct stat st;

	return *status && sys_stat(status, &st) == 0;
}

/* --- the helper ----------------------------------------------------------- */

struct arguments {
	const char *of[FILES_MAX + 2 * BEFORE_MAX + 5];
	char pid[16];
};

/* No LD_PRELOAD, and no word of ours but that: where the loader takes us from
 * a file, into every program, the helper must not be profiled, too. */
static const char *const environment[] = {
	"PATH=/usr/bin:/bin",
	"LC_ALL=C",
	"PPROFC_PROFILES=none",
	NULL,
};

static void make_arguments(struct arguments *a)
{
	const char *name = names;
	unsigned n = 0;

	(void)fmt(a->pid, sizeof(a->pid), "%d", sys_getpid());
	a->of[n++] = "pprofc-symbolize";
	a->of[n++] = "--quiet";
	a->of[n++] = "--pid";
	a->of[n++] = a->pid;
	for (uint32_t i = 0; i < before_count; i++) {
		a->of[n++] = "--cache";
		a->of[n++] = before[i];
	}
	for (uint32_t i = 0; i < file_count; i++) {
		a->of[n++] = name;
		name += str_len(name) + 1;
	}
	a->of[n] = NULL;
}

static bool find_helper(const char **ret_path)
{
	switch (symbolizer_find(ret_path)) {
	case SYMBOLIZER_FOUND:
		return true;
	case SYMBOLIZER_FOREIGN:
		say_why_not(
			"not run, as it belongs to another user: ", *ret_path);
		return false;
	default:
		say_why_not("there is no pprofc-symbolize where the library "
			    "is, nor ",
			*ret_path);
		return false;
	}
}

static void say_failed(const char *path, int err)
{
	if (said_why)
		return;
	said_why = true;
	log_line("no source lines: cannot run %s (error %d)", path, -err);
}

static void start_detached(const struct orphan_program *program)
{
	int pid = orphan_start(program);

	detached_pid = PP_MAX(pid, 0);
	if (pid < 0)
		say_failed(program->path, pid);
}

static bool start_kept(const struct orphan_program *program)
{
	int err = orphan_start_kept(program, &kept);

	if (err)
		say_failed(program->path, err);
	return !err;
}

/* On a thread of ours, which is there until the helper has ended. */
static void keep(void *arg)
{
	if (start_kept(arg)) {
		atomic_store(&keeping, 2);
		futex_wake_all(&keeping);
		(void)orphan_await(&kept, UINT64_MAX);
	}
	atomic_store(&keeping, 0);
	futex_wake_all(&keeping);
}

static void start_keeping(const struct orphan_program *program)
{
	atomic_store(&keeping, 1);
	if (helper_run(keep, (void *)(uintptr_t)program) != 0) {
		atomic_store(&keeping, 0);
		return;
	}
	/* It uses our arguments. */
	while (atomic_load(&keeping) == 1)
		futex_wait(&keeping, 1, SECOND_NS);
}

/* The process ends. As process 1 it takes the helper along, and after an exec
 * another program would be its parent: then it must not be left. */
static void start_and_wait(
	const struct orphan_program *program, bool must_not_be_left)
{
	uint64_t patience_ns = process.settings.symbols_wait_s * SECOND_NS;

	if (!start_kept(program) || orphan_await(&kept, patience_ns))
		return;
	if (!must_not_be_left)
		return;
	log_line("the helper that adds source lines took too long");
	orphan_kill(&kept);
	(void)orphan_await(&kept, REPORTS_PATIENCE_NS);
}

/* --- when ----------------------------------------------------------------- */

/* What has been found out for one occasion. */
static struct {
	bool made, comes_home;
	/* It would end with us, or be left to who knows no such child. */
	bool must_not_be_left;
	const char *path; /* of the helper; NULL = it may not be started */
} plan;

static bool is_forbidden(void)
{
	if (!atomic_load(&forbidden))
		return false;
	say_why_not("the program's sandbox forbids it", "");
	return true;
}

static bool may_start(const char **ret_path)
{
	if (is_forbidden())
		return false;
	if (!find_helper(ret_path))
		return false;
	if (orphan_is_forbidden()) {
		say_why_not("it would be the first process of a new "
			    "namespace",
			"");
		return false;
	}
	return true;
}

static void make_plan(enum symbolizer_occasion occasion)
{
	bool to_host;

	if (plan.made)
		return;
	plan.made = true;
	if (!may_start(&plan.path)) {
		plan.path = NULL;
		return;
	}
	plan.comes_home = orphan_comes_home();
	to_host = !plan.comes_home && orphan_goes_to_host();
	plan.must_not_be_left = sys_getpid() == 1 || to_host ||
				(plan.comes_home &&
					occasion == SYMBOLIZER_EXEC);
}

static void start(enum symbolizer_occasion occasion)
{
	struct arguments arguments;
	const struct orphan_program program = { plan.path, arguments.of,
		environment };
	bool goes_on = occasion == SYMBOLIZER_GOES_ON;

	make_arguments(&arguments);
	if (goes_on && plan.comes_home)
		start_keeping(&program);
	else if (!goes_on && process.settings.symbols_wait_s)
		start_and_wait(&program, plan.must_not_be_left);
	else if (plan.must_not_be_left)
		say_why_not("nobody would be there for the helper: set "
			    "PPROFC_SYMBOLS_TIMEOUT",
			"");
	else if (plan.comes_home)
		(void)start_kept(&program);
	else
		start_detached(&program);
}

static void start_if_possible(enum symbolizer_occasion occasion)
{
	if (occasion != SYMBOLIZER_GOES_ON && run_does_it())
		return;
	make_plan(occasion);
	/* Another thread may have put on a sandbox since. */
	if (!plan.path || is_forbidden())
		return;
	start(occasion);
	remember_files();
}

bool symbolizer_rewrites(void)
{
	if (!is_wanted() || run_does_it())
		return false;
	make_plan(SYMBOLIZER_END);
	return plan.path && !plan.must_not_be_left;
}

void symbolizer_start(enum symbolizer_occasion occasion)
{
	if (file_count && occasion == SYMBOLIZER_GOES_ON && is_busy())
		return;
	if (file_count)
		start_if_possible(occasion);
	forget_files();
	plan.made = false;
}

void symbolizer_forbid(void)
{
	atomic_store(&forbidden, true);
}

void symbolizer_end_kept(void)
{
	uint64_t end, now;

	if (atomic_load(&keeping) != 2)
		return;
	orphan_kill(&kept);
	end = sys_clock_ns(CLOCK_MONOTONIC) + REPORTS_PATIENCE_NS;
	while (atomic_load(&keeping)) {
		now = sys_clock_ns(CLOCK_MONOTONIC);
		if (now >= end)
			return;
		futex_wait(&keeping, 2, end - now);
	}
}

void symbolizer_reset(void)
{
	forget_files();
	plan.made = false;
	detached_pid = 0;
	atomic_store(&keeping, 0);
}
