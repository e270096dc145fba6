/*
 * run.h - the subcommand `pprofc run`.
 */
#ifndef RUN_H
#define RUN_H

#include "pp.h"

/* argv[0] is "run". Returns our exit status, or does not return: then we end
 * as the command did. */
int run_main(int argc, char **argv) PP_NORMAL;

#endif
