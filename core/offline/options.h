/*
 * options.h - the command line of `pprofc run`: every variable is an option.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "pp.h"

struct run_options {
	bool quiet;
	bool help;
	char **command; /* points into argv; NULL-terminated, may be empty */
};

/*
 * Check the options and put the variables they stand for into our environment,
 * which the command will inherit. argv[0] is "run". Returns false after saying
 * what is wrong.
 */
bool options_read(int argc, char **argv, struct run_options *ret) PP_NORMAL;

#endif
