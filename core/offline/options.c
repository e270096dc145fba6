/*
 * options.c - see options.h.
 */
#include "pp.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "help.h"
#include "options.h"
#include "say.h"

/* What getopt_long() returns for the option of config_table[i]. */
#define VARIABLE_OPTION 1000
#define OPTIONS_MAX 64

struct option_table {
	struct option rows[OPTIONS_MAX];
	char names[OPTIONS_MAX][OPTION_NAME_MAX];
};

static void make_options(struct option_table *t)
{
	size_t n = 0;

	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < config_count && n < OPTIONS_MAX - 3; i++) {
		option_name(&config_table[i], t->names[i]);
		t->rows[n++] = (struct option){ t->names[i], required_argument,
			NULL, VARIABLE_OPTION + (int)i };
	}
	t->rows[n++] = (struct option){ "quiet", no_argument, NULL, 'q' };
	t->rows[n++] = (struct option){ "help", no_argument, NULL, 'h' };
}

static void say_option(const char *sentence, void *arg)
{
	say("option --%s: %s", (const char *)arg, sentence);
}

static bool set_variable(
	const char *variable, char *option, const char *value) PP_NORMAL;

static bool set_variable(const char *variable, char *option, const char *value)
{
	if (!config_check(variable, value, say_option, option))
		return false;
	if (setenv(variable, value, 1) == 0)
		return true;
	say("no memory");
	return false;
}

bool options_read(int argc, char **argv, struct run_options *ret)
{
	static char command_name[] = "pprofc run", output[] = "output";
	static struct option_table table;
	bool good = true;
	int c;

	make_options(&table);
	*ret = (struct run_options){ 0 };
	argv[0] = command_name; /* in getopt's own messages */
	while (good && (c = getopt_long(
				argc, argv, "+o:qh", table.rows, NULL)) != -1) {
		if (c == 'q')
			ret->quiet = true;
		else if (c == 'h')
			ret->help = true;
		else if (c == 'o')
			good = set_variable("PPROFC_OUTPUT", output, optarg);
		else if (c >= VARIABLE_OPTION)
			good = set_variable(
				config_table[c - VARIABLE_OPTION].name,
				table.names[c - VARIABLE_OPTION], optarg);
		else
			good = false; /* getopt has said why */
	}
	ret->command = argv + optind;
	return good;
}
