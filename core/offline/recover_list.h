/*
 * recover_list.h - `pprofc recover --list`.
 */
#ifndef RECOVER_LIST_H
#define RECOVER_LIST_H

#include "pp.h"

/* A line on stdout for each session that the names stand for: for a terminal in
 * columns below a heading, else separated by tabs. Returns how many. */
unsigned recover_list(char *const *names);

#endif
