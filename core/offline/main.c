/*
 * main.c - the pprofc command: which subcommand, and nothing else.
 *
 * The files of this folder run in the command's own process only.
 */
#include "pp.h"

#include <stdio.h>
#include <string.h>

#include "asking.h"
#include "help.h"
#include "recover.h"
#include "run.h"
#include "say.h"
#include "symbolizer.h"

static bool is_option(const char *arg, const char *name, const char *letter)
{
	return strcmp(arg, name) == 0 || strcmp(arg, letter) == 0;
}

int main(int argc, char **argv) PP_ENTER_NORMAL;

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "run") == 0)
		return run_main(argc - 1, argv + 1);
	if (strcmp(what, "symbolize") == 0)
		return symbolizer_main(argv + 1);
	if (strcmp(what, "recover") == 0)
		return recover_main(argc - 1, argv + 1);
	if (strcmp(what, "threads") == 0)
		return threads_main(argc - 1, argv + 1);
	if (strcmp(what, "dump") == 0)
		return dump_main(argc - 1, argv + 1);
	if (strcmp(what, "list") == 0)
		return list_main(argc - 1, argv + 1);
	if (is_option(what, "--help", "-h"))
		help_pprofc(stdout);
	else if (is_option(what, "--version", "-V"))
		(void)printf("pprofc " PPROFC_VERSION "\n");
	else if (strcmp(what, "--variables") == 0)
		help_variables(stdout);
	else {
		if (*what)
			say("there is no command %s", what);
		say("usage: pprofc run [OPTION]... [--] CMD [ARG]..., or "
		    "pprofc symbolize, recover, threads, dump or list; "
		    "`pprofc --help` tells more");
		return EXIT_PPROFC;
	}
	return 0;
}
