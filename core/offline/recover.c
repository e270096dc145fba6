/*
 * recover.c - see recover.h: the command line of `pprofc recover`, and what is
 * done with each session.
 */
#include "pp.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "help.h"
#include "lines.h"
#include "recover.h"
#include "recover_core.h"
#include "recover_find.h"
#include "recover_list.h"
#include "recover_write.h"
#include "say.h"
#include "session_open.h"
#include "status.h"

#define EXIT_SOME_FAILED 1

struct options {
	bool list, keep, snapshot, force, help, lines;
	const char *output, *exe, *core;
	char *const *names;
};

struct work {
	const struct options *options;
	FILE *log;
	unsigned written, failed, alive, of_others, empty;
};

/* --- one session ---------------------------------------------------------- */

static void fail(struct work *w, const struct finding *f, const char *why)
{
	say("%s: %s", f->path, why);
	w->failed++;
}

static const char *how_it_ended(const struct finding *f, char *buf, size_t size)
{
	uint32_t sig = atomic_load(&f->head.ending_signal);

	switch (f->fate) {
	case FATE_ALIVE:
		return "was running when this was taken";
	case FATE_REPLACED:
		return "executed another program without ending";
	default:
		break;
	}
	if (!sig || sig > 64)
		return "ended without writing its profiles";
	(void)snprintf(buf, size,
		"was ended by signal %u (%s) while writing its profiles", sig,
		strsignal((int)sig));
	return buf;
}

/* False: it is left alone, for a reason that has been said or counted. */
static bool is_to_be_read(struct work *w, const struct finding *f)
{
	const struct options *o = w->options;
	char why[FIND_WHY_MAX];

	if (f->of_others && !f->named) {
		w->of_others++;
	} else if (f->error == SESSION_UNFINISHED && !f->named) {
		w->empty++;
		if (!w->options->keep && finding_is_abandoned(f))
			(void)finding_remove(f);
	} else if (f->error) {
		finding_why(f->error, f->head.version, why);
		fail(w, f, why);
	} else if (f->of_others && !o->output) {
		fail(w, f,
			"the session is another user's, and so is the place "
			"it names for its profiles: say with -o where they "
			"are to go");
	} else if (f->fate == FATE_ALIVE && !o->snapshot) {
		w->alive++;
		if (f->named)
			fail(w, f,
				"its process is alive; --snapshot reads it "
				"all the same");
	} else if (f->fate == FATE_UNKNOWN && !o->snapshot && !o->force) {
		fail(w, f,
			"its process is of another PID namespace or "
			"another machine, and whether it lives cannot be "
			"seen from here; --snapshot reads it all the same, "
			"--force takes the process for dead");
	} else {
		return true;
	}
	return false;
}

static bool goes_afterwards(const struct options *o, const struct finding *f)
{
	if (o->keep || f->fate == FATE_ALIVE)
		return false;
	return f->fate != FATE_UNKNOWN || o->force;
}

static void read_one(struct work *w, const struct finding *f)
{
	char ended[128], why[FIND_WHY_MAX];
	const struct recovery how = {
		.ended = how_it_ended(f, ended, sizeof(ended)),
		.output = w->options->output,
	};
	struct recovered done;
	struct session *copy;
	int err = session_open(f->path, &copy);

	if (err) {
		finding_why(err, f->head.version, why);
		fail(w, f, why);
		return;
	}
	if (w->options->exe && !session_replace_exe(copy, w->options->exe))
		say("%s: the path is too long", w->options->exe);
	done = recover_write(copy, &how, w->log);
	if (done.failed)
		recover_log_kept(copy, f->path, w->log);
	session_close(copy);
	w->written += done.written;
	w->failed += done.failed;
	if (!done.written && !done.failed)
		w->empty++;
	if (!done.failed && goes_afterwards(w->options, f) &&
		!finding_remove(f))
		w->failed++;
}

/* What stays may be read by several. */
static void visit(const struct finding *f, void *arg)
{
	struct work *w = arg;
	int claim = -1;

	if (!is_to_be_read(w, f))
		return;
	if (goes_afterwards(w->options, f) && !finding_claim(f, &claim))
		return;
	read_one(w, f);
	if (claim >= 0)
		(void)close(claim);
}

/* --- all of them ---------------------------------------------------------- */

static void say_rest(const struct work *w, unsigned found)
{
	if (w->alive)
		say("%u session%s of living processes left alone; --snapshot "
		    "reads them",
			w->alive, w->alive == 1 ? "" : "s");
	if (w->empty)
		say("%u session%s without samples", w->empty,
			w->empty == 1 ? "" : "s");
	if (w->of_others)
		say("%u session%s of other users left alone", w->of_others,
			w->of_others == 1 ? "" : "s");
	if (!found)
		say("no session found");
}

/* Those that lines_add() waits for. */
static void block_signals(void)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP,
		SIGQUIT };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < PP_ARRAY_LEN(signals); i++)
		(void)sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static void say_written(const struct status_file *status, bool lines) PP_NORMAL;

static void say_written(const struct status_file *status, bool lines)
{
	struct status_summary *s = status_read(status);
	unsigned count;
	char **profiles = status_profiles(s, &count);

	if (lines && count) {
		block_signals();
		lines_add(profiles, count, false);
	}
	free(profiles);
	(void)status_say(s);
	status_free(s);
}

static int recover_all(const struct options *o) PP_NORMAL;

static int recover_all(const struct options *o)
{
	struct status_file status = { "", "" };
	struct work w = { .options = o };
	unsigned found;
	int err = status_create(&status);

	w.log = err ? NULL : fopen(status.path, "ae");
	if (!w.log) {
		say("cannot create a file in the directory for temporary files:"
		    " %s",
			strerror(err ? -err : errno));
		status_remove(&status);
		return EXIT_PPROFC;
	}
	if (o->core) {
		found = 1;
		w.failed = recover_core(o->core, o->exe, o->output, w.log);
	} else {
		found = find_sessions(o->names, visit, &w);
	}
	(void)fclose(w.log);
	say_written(&status, o->lines);
	say_rest(&w, found);
	return w.failed ? EXIT_SOME_FAILED : 0;
}

/* --- the command line ----------------------------------------------------- */

static void say_bad(const char *sentence, void *arg)
{
	say("%s%s", (const char *)arg, sentence);
}

static void ignore_bad(const char *sentence, void *arg)
{
	(void)sentence;
	(void)arg;
}

enum { OPTION_EXE = 1000, OPTION_CORE };

static bool read_options(int argc, char **argv, struct options *ret)
{
	static const struct option table[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "keep", no_argument, NULL, 'k' },
		{ "snapshot", no_argument, NULL, 's' },
		{ "force", no_argument, NULL, 'f' },
		{ "output", required_argument, NULL, 'o' },
		{ "exe", required_argument, NULL, OPTION_EXE },
		{ "core", required_argument, NULL, OPTION_CORE },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*ret = (struct options){ 0 };
	while ((c = getopt_long(argc, argv, "lksfo:h", table, NULL)) != -1) {
		switch (c) {
		case 'l':
			ret->list = true;
			break;
		case 'k':
			ret->keep = true;
			break;
		case 's':
			ret->snapshot = true;
			break;
		case 'f':
			ret->force = true;
			break;
		case 'o':
			ret->output = optarg;
			break;
		case OPTION_EXE:
			ret->exe = optarg;
			break;
		case OPTION_CORE:
			ret->core = optarg;
			break;
		case 'h':
			ret->help = true;
			break;
		default:
			return false; /* getopt has said why */
		}
	}
	ret->names = argv + optind;
	if (ret->core && (ret->names[0] || ret->list)) {
		say("--core is about the core file alone");
		return false;
	}
	return true;
}

/* What is relative is so to where we are. */
static bool settle(struct options *o, struct settings *settings) PP_NORMAL;

static bool settle(struct options *o, struct settings *settings)
{
	static char option[] = "option --output: ", nothing[] = "";
	static char exe[PATH_MAX];

	if (o->output &&
		(!config_check("PPROFC_OUTPUT", o->output, say_bad, option) ||
			setenv("PPROFC_OUTPUT", o->output, 1) != 0))
		return false;
	config_resolve(settings, ignore_bad, nothing);
	o->lines = settings->symbols == SYMBOLS_LINES;
	if (o->output)
		o->output = settings->output;
	if (o->exe && !realpath(o->exe, exe)) {
		say("%s: %s", o->exe, strerror(errno));
		return false;
	}
	if (o->exe)
		o->exe = exe;
	return true;
}

int recover_main(int argc, char **argv)
{
	static char command_name[] = "pprofc recover";
	static struct settings settings;
	static struct find_places usual;
	struct options o;

	argv[0] = command_name; /* in getopt's own messages */
	if (!read_options(argc, argv, &o)) {
		say("`pprofc recover --help` lists the options");
		return EXIT_PPROFC;
	}
	if (o.help) {
		help_recover(stdout);
		return 0;
	}
	if (!settle(&o, &settings))
		return EXIT_PPROFC;
	if (!o.names[0]) {
		find_usual_places(&settings, &usual);
		o.names = usual.names;
	}
	if (!o.list)
		return recover_all(&o);
	(void)recover_list(o.names);
	return 0;
}
