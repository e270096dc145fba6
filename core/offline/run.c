/*
 * run.c - see run.h.
 */
#include "pp.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "config.h"
#include "help.h"
#include "library.h"
#include "lines.h"
#include "options.h"
#include "recover.h"
#include "run.h"
#include "say.h"
#include "status.h"
#include "target.h"

static void say_bad(const char *sentence, void *arg)
{
	(void)arg;
	say("%s", sentence);
}

static bool is_variable(const char *entry)
{
	static const char *const others[] = { "PPROFC_LIBRARY", "PPROFC_STATUS",
		"PPROFC_COMPLAINED", "PPROFC_NOT_FOLLOWED" };
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < config_count; i++) {
		if (strlen(config_table[i].name) == len &&
			memcmp(config_table[i].name, entry, len) == 0)
			return true;
	}
	for (size_t i = 0; i < PP_ARRAY_LEN(others); i++) {
		if (strlen(others[i]) == len &&
			memcmp(others[i], entry, len) == 0)
			return true;
	}
	return false;
}

/* The library does not mention these: it cannot know who else uses them. */
static void say_unknown_variables(void)
{
	for (char **e = environ; *e; e++) {
		if (strncmp(*e, "PPROFC_", 7) == 0 && !is_variable(*e))
			say("there is no variable %.*s", (int)strcspn(*e, "="),
				*e);
	}
}

/*
 * Paths as seen from here: programs that change their directory and start
 * others still write to the place the user meant.
 */
static bool settle_paths(const struct settings *s)
{
	/* Who asks for a profile wants one. */
	if (unsetenv("PPROFC_NOT_FOLLOWED") != 0)
		return false;
	if (setenv("PPROFC_OUTPUT", s->output, 1) != 0)
		return false;
	if (s->log_place == LOG_FILE && setenv("PPROFC_LOG", s->log_path, 1))
		return false;
	return s->session_place != SESSION_DIR ||
	       setenv("PPROFC_SESSION", s->session_dir, 1) == 0;
}

/* What is known of a run before its command starts. */
struct plan {
	int signals[2];
	bool lines;
};

/* The environment the command will get, whatever comes from our own. */
static bool settle_environment(bool quiet, struct plan *ret) PP_NORMAL;

static bool settle_environment(bool quiet, struct plan *ret)
{
	static struct settings settings;
	char library[PATH_MAX];

	if (!quiet)
		say_unknown_variables();
	config_resolve(&settings, say_bad, NULL);
	ret->signals[0] = settings.dump_signal;
	ret->signals[1] = settings.toggle_signal;
	ret->lines = settings.symbols == SYMBOLS_LINES;
	if (!settle_paths(&settings)) {
		say("no memory");
		return false;
	}
	return library_find(library) && library_preload(library);
}

static int say_not_started(const char *command, int error)
{
	say("cannot run %s: %s", command, strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

static void say_nothing_written(int wait_status, bool reason_is_known)
{
	if (reason_is_known)
		say("no profile was written");
	else if (WIFSIGNALED(wait_status))
		say("no profile was written: the program was ended by signal "
		    "%d (%s)",
			WTERMSIG(wait_status),
			strsignal(WTERMSIG(wait_status)));
	else
		say("no profile was written: the program ended before anything "
		    "was sampled, or it did not load the library");
}

static void add_lines(const struct status_summary *s, bool quiet) PP_NORMAL;

static void add_lines(const struct status_summary *s, bool quiet)
{
	unsigned count;
	char **profiles = status_profiles(s, &count);

	lines_add(profiles, count, quiet);
	free(profiles);
}

static void say_summary(
	struct status_summary *s, int wait_status, bool out_of_reach)
{
	struct status_counts counts = status_say(s);

	if (counts.profiles == 0)
		say_nothing_written(
			wait_status, out_of_reach || counts.problems > 0);
}

/* When the command has ended. */
static void conclude(const struct plan *plan, const struct status_file *status,
	int wait_status, bool out_of_reach, bool quiet) PP_NORMAL;

static void conclude(const struct plan *plan, const struct status_file *status,
	int wait_status, bool out_of_reach, bool quiet)
{
	struct status_summary *s = status_read(status);

	if (plan->lines)
		add_lines(s, quiet);
	if (!quiet)
		say_summary(s, wait_status, out_of_reach);
	status_free(s);
}

static int run_command(
	const struct run_options *options, const struct plan *plan) PP_NORMAL;

static int run_command(
	const struct run_options *options, const struct plan *plan)
{
	struct status_file status = { "", "" };
	struct child_result result = { 0 };
	char why[PATH_MAX + 256];
	bool out_of_reach = target_is_out_of_reach(
		options->command[0], why, sizeof(why));
	int failed = status_create(&status);

	if (failed) {
		say("cannot create a file in the directory for temporary files:"
		    " %s",
			strerror(-failed));
		return EXIT_PPROFC;
	}
	if (out_of_reach && !options->quiet)
		say("%s. It runs without being profiled", why);
	failed = child_run(options->command, plan->signals, &result);
	if (!failed && !result.exec_errno)
		recover_after_run(status.path, result.pid, result.wait_status);
	if (!failed && !result.exec_errno)
		conclude(plan, &status, result.wait_status, out_of_reach,
			options->quiet);
	else
		status_remove(&status);
	if (failed) {
		say("cannot start a process: %s", strerror(-failed));
		return EXIT_PPROFC;
	}
	if (result.exec_errno)
		return say_not_started(options->command[0], result.exec_errno);
	child_leave(result.wait_status);
}

int run_main(int argc, char **argv)
{
	struct run_options options;
	static struct plan plan;

	if (!options_read(argc, argv, &options)) {
		say("`pprofc run --help` lists the options");
		return EXIT_PPROFC;
	}
	if (options.help) {
		help_run(stdout);
		return 0;
	}
	if (!options.command[0]) {
		say("which program? Usage: pprofc run [OPTION]... [--] CMD "
		    "[ARG]...");
		return EXIT_PPROFC;
	}
	if (!settle_environment(options.quiet, &plan))
		return EXIT_PPROFC;
	return run_command(&options, &plan);
}
