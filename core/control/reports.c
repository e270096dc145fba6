/*
 * reports.c - see reports.h. Context: PP_ANY.
 */
#include "pp.h"

#include "all_threads.h"
#include "created.h"
#include "fmt.h"
#include "helper.h"
#include "known_names.h"
#include "lock.h"
#include "log.h"
#include "output.h"
#include "own_stack.h"
#include "process.h"
#include "reports.h"
#include "symbolizer.h"
#include "sys.h"
#include "timers.h"

static struct lock lock;
static _Atomic bool process_goes_on;

/* Names of the files of the last REPORT_EXIT set; "" = none. Under the lock. */
static PP_BIG char exit_paths[PROFILE_KINDS][SETTINGS_PATH_MAX + 64];
static PP_BIG char other_path[SETTINGS_PATH_MAX + 64];

/* What has been said: an exec that fails ends a process more than once. */
static PP_BIG uint64_t said[STAT_COUNT];

struct set {
	uint32_t kinds;
	enum report_occasion occasion;
	const struct live_copy *live;
	bool asked, names_only; /* by another process */
};

static void tell(struct session *s, enum profile_kind kind, const char *path)
{
	(void)str_copy(
		s->asking.paths[kind], sizeof(s->asking.paths[kind]), path);
	atomic_fetch_add(&s->asking.written[kind], 1);
}

static enum symbolizer_occasion what_follows(const struct set *set)
{
	if (set->occasion != REPORT_EXIT)
		return SYMBOLIZER_GOES_ON;
	return atomic_load(&process_goes_on) ? SYMBOLIZER_EXEC : SYMBOLIZER_END;
}

static void write_kind(struct session *s, const struct set *set,
	struct known_names *names, enum profile_kind kind)
{
	struct report_request request = {
		.kind = kind,
		.occasion = set->occasion,
		.live = set->live,
		.names = names,
		.own_process = true,
	};
	char *path = set->occasion == REPORT_EXIT ? exit_paths[kind]
						  : other_path;

	if (!set->names_only && what_follows(set) == SYMBOLIZER_END)
		request.is_rewritten = symbolizer_rewrites;
	/* At the end there is but one thread that does anything. */
	if (kind == PROFILE_GOROUTINE && set->occasion == REPORT_EXIT)
		return;
	if (kind == PROFILE_GOROUTINE)
		request.threads = all_threads_take(s);
	/* Failures are logged there, and there is no one else to tell. */
	if (report_write(s, &request, path, sizeof(other_path)) != 0)
		return;
	if (set->asked)
		tell(s, kind, path);
	if (!set->names_only)
		symbolizer_add(path);
}

static void say_losses(const struct session *s)
{
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		uint64_t n = session_stat(s, (enum stat_id)i);

		if (!session_stat_is_loss((enum stat_id)i) || n <= said[i])
			continue;
		said[i] = n;
		log_line("%llu %s", (unsigned long long)n,
			session_stat_names[i]);
	}
}

static void write_kinds(struct session *s, const struct set *set)
{
	struct known_names names;

	known_names_init(&names, s, true);
	for (unsigned kind = 0; kind < PROFILE_KINDS; kind++) {
		if (set->occasion == REPORT_EXIT)
			exit_paths[kind][0] = '\0';
		if (set->kinds & PROFILE_BIT(kind))
			write_kind(s, set, &names, (enum profile_kind)kind);
	}
	known_names_free(&names);
}

static void write_set(void *arg)
{
	const struct set *set = arg;
	struct session *s = process_session_peek();

	if (s)
		write_kinds(s, set);
	symbolizer_start(what_follows(set));
	if (s && set->occasion == REPORT_EXIT)
		say_losses(s);
}

/* Reading the symbols of its executable would cost the process the record locks
 * it has on it, which outlive even an exec: helper.c. At an end that is one
 * there is nothing to lose, and no thread to be had in a sandbox. */
static void write_apart(struct set *set)
{
	if (!atomic_load(&process_goes_on) || helper_call(write_set, set) != 0)
		own_stack_run(write_set, set);
}

/* What is recorded only when somebody asks. */
static void complete(uint32_t kinds)
{
	timers_look();
	if (kinds & PROFILE_BIT(PROFILE_THREADCREATE))
		created_main(process_session_peek());
}

static bool write_locked(struct set *set)
{
	sys_sigset old;
	bool locked;

	sys_block_signals(&old);
	locked = lock_take_for(&lock, REPORTS_PATIENCE_NS);
	if (locked) {
		write_apart(set);
		lock_drop(&lock);
	}
	sys_restore_signals(&old);
	return locked;
}

/* A program that has done nothing yet can be hung all the same. */
static struct session *session_for(uint32_t kinds)
{
	return kinds & PROFILE_BIT(PROFILE_GOROUTINE) ? process_session()
						      : process_session_peek();
}

void reports_write(uint32_t kinds, enum report_occasion occasion,
	const struct live_copy *live)
{
	struct set set = { .kinds = kinds & process.settings.profiles,
		.occasion = occasion,
		.live = live };

	if (occasion == REPORT_SIGNAL &&
		(!set.kinds || (process.settings.heap_foreign &&
				       !(set.kinds & ~PROFILE_HEAP_FAMILY))))
		log_line("no heap profile is being made");
	complete(set.kinds);
	if (set.kinds && session_for(set.kinds))
		(void)write_locked(&set);
}

void reports_answer(uint32_t asked)
{
	uint32_t can = process.settings.profiles |
		       PROFILE_BIT(PROFILE_GOROUTINE);
	struct set set = { .kinds = asked & can,
		.occasion = REPORT_SIGNAL,
		.asked = true,
		.names_only = (asked & ASKING_NAMES_ONLY) != 0 };
	struct session *s = process_session();

	complete(set.kinds);
	if (s && write_locked(&set))
		atomic_fetch_add(&s->asking.answered, 1);
}

void reports_before_exec(void)
{
	atomic_store(&process_goes_on, true);
}

void reports_withdraw(void)
{
	atomic_store(&process_goes_on, false);
	for (unsigned kind = 0; kind < PROFILE_KINDS; kind++) {
		if (exit_paths[kind][0])
			(void)sys_unlink(exit_paths[kind]);
		exit_paths[kind][0] = '\0';
	}
}

void reports_reset(void)
{
	atomic_store(&lock.word, 0);
	atomic_store(&process_goes_on, false);
	for (unsigned i = 0; i < STAT_COUNT; i++)
		said[i] = 0;
	for (unsigned kind = 0; kind < PROFILE_KINDS; kind++)
		exit_paths[kind][0] = '\0';
	all_threads_reset();
	symbolizer_reset();
}
