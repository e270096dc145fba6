/*
 * asking.c - see asking.h.
 */
#include "pp.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "asking.h"
#include "config.h"
#include "config_value.h"
#include "help.h"
#include "lines.h"
#include "owner.h"
#include "recover.h"
#include "say.h"
#include "thread_text.h"

#define EXIT_FAILED 1
#define EXIT_DEADLOCK 2
#define PATIENCE_S 10u

static bool read_pid(const char *word, pid_t *ret)
{
	char *end;
	long n = strtol(word, &end, 10);

	*ret = (pid_t)n;
	return *word && !*end && n > 0 && n <= INT32_MAX;
}

/* --- threads -------------------------------------------------------------- */

struct threads_options {
	long debug;
	bool names, help;
	const char *of; /* a process, or a file */
};

static bool threads_options(int argc, char **argv, struct threads_options *ret)
{
	static const struct option options[] = {
		{ "debug", required_argument, NULL, 'd' },
		{ "names", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*ret = (struct threads_options){ .debug = 2 };
	while ((c = getopt_long(argc, argv, "+d:nh", options, NULL)) != -1) {
		if (c == 'd')
			ret->debug = strtol(optarg, NULL, 10);
		else if (c == 'n')
			ret->names = true;
		else if (c == 'h')
			ret->help = true;
		else
			return false; /* said by getopt */
	}
	if (ret->debug != 1 && ret->debug != 2) {
		say("--debug: accepted are 1 (equal stacks once) and 2 (each "
		    "thread)");
		return false;
	}
	ret->of = argc - optind == 1 ? argv[optind] : NULL;
	if (!ret->of && !ret->help)
		say("usage: pprofc threads [OPTION]... PID|FILE");
	return ret->of || ret->help;
}

/* Returns an exit status. */
static PP_NORMAL int show(const char *path, const struct threads_options *o)
{
	struct thread_list list;
	unsigned circles;

	if (!thread_list_read(path, &list))
		return EXIT_FAILED;
	if (o->debug == 1) { /* Go's form has no room for more */
		thread_text_stacks(stdout, &list);
		circles = 0;
	} else {
		circles = thread_text_waits(stdout, &list);
		thread_text_threads(stdout, &list);
	}
	thread_list_free(&list);
	return circles ? EXIT_DEADLOCK : 0;
}

static PP_NORMAL int show_process(pid_t pid, const struct threads_options *o)
{
	static struct answer answer;
	static struct owner owner;
	const char *written = answer.paths[PROFILE_GOROUTINE];
	char path[PATH_MAX + SETTINGS_PATH_MAX], *files[] = { path };
	bool known = owner_read(pid, &owner);
	int status;

	if (!ask(pid, PROFILE_BIT(PROFILE_GOROUTINE), true, PATIENCE_S,
		    &answer))
		return EXIT_FAILED;
	if (!*written) {
		say("process %d could not write its profile: PPROFC_LOG says "
		    "why",
			(int)pid);
		return EXIT_FAILED;
	}
	if (!known || !owner_become(&owner))
		return EXIT_FAILED;
	(void)snprintf(path, sizeof(path), "%s%s", owner.root, written);
	if (!o->names)
		lines_add(files, 1, true);
	status = show(path, o);
	(void)unlink(path);
	return status;
}

int threads_main(int argc, char **argv)
{
	struct threads_options o;
	pid_t pid;

	if (!threads_options(argc, argv, &o))
		return EXIT_PPROFC;
	if (o.help) {
		help_threads(stdout);
		return 0;
	}
	return read_pid(o.of, &pid) ? show_process(pid, &o) : show(o.of, &o);
}

/* --- list ----------------------------------------------------------------- */

int list_main(int argc, char **argv)
{
	char command[] = "recover", option[] = "--list";
	char *words[] = { command, option, NULL };

	if (argc > 1) {
		say("usage: pprofc list; `pprofc recover --list FILE|DIR...` "
		    "looks elsewhere, too: %s",
			argv[1]);
		return EXIT_PPROFC;
	}
	return recover_main(2, words);
}

/* --- dump ----------------------------------------------------------------- */

/* The kinds named; all that the process makes if none is. */
static bool read_kinds(char **names, uint32_t *ret)
{
	static const struct config_variable word = { .name = "" };
	struct settings s = { 0 };
	struct config_why why;

	*ret = names[0] ? 0 : PROFILE_BIT(PROFILE_GOROUTINE) - 1;
	for (; *names; names++) {
		if (!value_profiles(&word, *names, &s, &why) || !s.profiles) {
			say("there is no profile \"%s\"", *names);
			return false;
		}
		*ret |= s.profiles;
	}
	return true;
}

int dump_main(int argc, char **argv)
{
	struct answer answer;
	unsigned written = 0;
	uint32_t kinds;
	pid_t pid;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 ||
				 strcmp(argv[1], "-h") == 0)) {
		help_dump(stdout);
		return 0;
	}
	if (argc < 2 || !read_pid(argv[1], &pid)) {
		say("usage: pprofc dump PID [KIND]...");
		return EXIT_PPROFC;
	}
	if (!read_kinds(argv + 2, &kinds))
		return EXIT_PPROFC;
	if (!ask(pid, kinds, false, PATIENCE_S, &answer))
		return EXIT_FAILED;
	for (unsigned k = 0; k < PROFILE_KINDS; k++) {
		if (answer.paths[k][0]) {
			(void)printf("%s\n", answer.paths[k]);
			written++;
		}
	}
	if (!written)
		say("process %d has no samples of that", (int)pid);
	return written ? 0 : EXIT_FAILED;
}
