/*
 * command.c - see command.h.
 */
#include "pp.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "tell.h"

#define DEFAULT_TIMEOUT_S 30

enum option_code {
	OPTION_PID = 1000,
	OPTION_DEBUG_DIR,
	OPTION_SYSROOT,
	OPTION_DEBUGINFOD,
	OPTION_TIMEOUT,
	OPTION_DEMANGLE,
	OPTION_REBASE,
	OPTION_CACHE,
};

static const struct option rows[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "pid", required_argument, NULL, OPTION_PID },
	{ "debug-dir", required_argument, NULL, OPTION_DEBUG_DIR },
	{ "sysroot", required_argument, NULL, OPTION_SYSROOT },
	{ "debuginfod", no_argument, NULL, OPTION_DEBUGINFOD },
	{ "debuginfod-timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "demangle", required_argument, NULL, OPTION_DEMANGLE },
	{ "rebase", no_argument, NULL, OPTION_REBASE },
	{ "cache", required_argument, NULL, OPTION_CACHE },
	{ 0 },
};

static bool read_number(const char *option, const char *text, long *ret)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > INT_MAX) {
		tell("option --%s: %s is not a number from 1 to %d", option,
			text, INT_MAX);
		return false;
	}
	*ret = n;
	return true;
}

static bool read_style(const char *text, enum names_style *ret)
{
	static const char *const words[] = { [NAMES_NONE] = "none",
		[NAMES_SIMPLE] = "simple",
		[NAMES_FULL] = "full" };

	for (unsigned i = 0; i < PP_ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = (enum names_style)i;
			return true;
		}
	}
	tell("option --demangle: %s is neither none, simple nor full", text);
	return false;
}

static bool add_text(const char ***list, size_t *count, const char *text)
{
	const char **longer = realloc(*list, (*count + 1) * sizeof(*longer));

	if (!longer) {
		tell("no memory");
		return false;
	}
	longer[(*count)++] = text;
	*list = longer;
	return true;
}

static bool set_option(struct command *c, int code)
{
	struct symbolize_options *o = &c->options;
	long number;

	switch (code) {
	case 'o':
		c->output = optarg;
		return true;
	case 'q':
		return true; /* known since before the first message */
	case 'h':
		c->help = true;
		return true;
	case 'V':
		c->version = true;
		return true;
	case OPTION_PID:
		if (!read_number("pid", optarg, &number))
			return false;
		o->where.pid = (pid_t)number;
		return true;
	case OPTION_DEBUG_DIR:
		return add_text(&o->where.debug_dirs, &o->where.debug_dir_count,
			optarg);
	case OPTION_CACHE:
		return add_text(&c->caches, &c->cache_count, optarg);
	case OPTION_SYSROOT:
		o->where.sysroot = optarg;
		return true;
	case OPTION_DEBUGINFOD:
		o->where.debuginfod = true;
		return true;
	case OPTION_TIMEOUT:
		if (!read_number("debuginfod-timeout", optarg, &number))
			return false;
		o->where.debuginfod_timeout_s = (unsigned)number;
		return true;
	case OPTION_DEMANGLE:
		return read_style(optarg, &o->style);
	case OPTION_REBASE:
		o->rebase = true;
		return true;
	default:
		return false; /* getopt has said why */
	}
}

/* Nothing at all is to be said then, not even about other options. */
static void look_for_quiet(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--quiet") != 0 &&
			strcmp(argv[i], "-q") != 0)
			continue;
		tell_set_quiet();
		opterr = 0;
	}
}

static bool check_files(const struct command *c)
{
	if (c->help || c->version)
		return true;
	if (!c->files[0])
		tell("usage: pprofc symbolize [OPTION]... FILE...; `pprofc "
		     "symbolize --help` tells more");
	else if (c->output && c->files[1])
		tell("option -o: there are several files for one output");
	else
		return true;
	return false;
}

bool command_read(int argc, char **argv, struct command *ret)
{
	static char name[] = "pprofc symbolize";
	bool good = true;
	int code;

	*ret = (struct command){
		.options = { .style = NAMES_SIMPLE,
			.where.debuginfod_timeout_s = DEFAULT_TIMEOUT_S }
	};
	look_for_quiet(argc, argv);
	if (argc > 0)
		argv[0] = name; /* in getopt's own messages */
	while (good &&
		(code = getopt_long(argc, argv, "o:qhV", rows, NULL)) != -1)
		good = set_option(ret, code);
	ret->files = argv + optind;
	return good && check_files(ret);
}

void command_help(void)
{
	(void)fputs(
		"Usage: pprofc symbolize [OPTION]... FILE...\n"
		"\n"
		"Put source files, lines and inlined functions into pprof"
		" profiles, so that\n`go tool pprof` shows them (-list, "
		"-lines)."
		" Each FILE is replaced by the complete\nresult, or stays as it"
		" was.\n"
		"\n"
		"  -o, --output=OUT\n"
		"        Write to OUT; the one FILE stays as it is.\n"
		"  -q, --quiet\n"
		"        Say nothing, whatever happens.\n"
		"  --debug-dir=DIR\n"
		"        Also look for debug information in DIR, which is"
		" arranged like\n        /usr/lib/debug, or flat. May be given"
		" several times.\n"
		"  --sysroot=DIR\n"
		"        The files of the profile are below DIR.\n"
		"  --pid=PID\n"
		"        The process may still live: its files are also looked"
		" for through it.\n"
		"  --debuginfod\n"
		"        Ask the servers in DEBUGINFOD_URLS for debug"
		" information. Without this\n        option no network is"
		" used.\n"
		"  --debuginfod-timeout=SECONDS\n"
		"        How long one question may take. Default: 30.\n"
		"  --demangle=none|simple|full\n"
		"        Names of C++ and Rust functions: the linker's; without"
		" template\n        arguments and parameters (default), as `go"
		" tool pprof` shows them; or with.\n"
		"  --cache=PROFILE\n"
		"        An earlier profile of the same program, symbolized "
		"like"
		" this: what it\n        knows is not looked up again. May be"
		" given several times.\n"
		"  --rebase\n"
		"        Write addresses as they are in the files, so that"
		" -disasm and -weblist of\n        `go tool pprof` work.\n"
		"  -h, --help\n"
		"        This text.\n"
		"  -V, --version\n"
		"        The version.\n"
		"\n"
		"Exit status: 0 if all files were done, 1 if something failed,"
		" 125 for options\nthat are not accepted.\n",
		stdout);
}
