/*
 * command.h - the command line of `pprofc symbolize`.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "pp.h"

#include "symbolize.h"

#define COMMAND_USAGE 125 /* exit status, as all of pprofc has it */

struct command {
	struct symbolize_options options;
	const char *output; /* NULL: each file is replaced */
	char **files;	    /* NULL-terminated */
	const char **caches;
	size_t cache_count;
	bool help, version;
};

/* false after saying what is wrong. Texts point into argv. */
bool command_read(int argc, char **argv, struct command *ret);
void command_help(void);

#endif
