/*
 * asking.h - `pprofc threads`, `pprofc dump` and `pprofc list`: about running
 * processes.
 */
#ifndef ASKING_H
#define ASKING_H

#include "pp.h"

/* argv[0] is "threads" or "dump". Return our exit status. */
int threads_main(int argc, char **argv) PP_NORMAL;
int dump_main(int argc, char **argv) PP_NORMAL;
/* `pprofc list`: as `pprofc recover --list`. */
int list_main(int argc, char **argv) PP_NORMAL;

#endif
