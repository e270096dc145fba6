/*
 * place.h - where the other files of pprofc are: beside this program in a build
 * tree, else where they were installed.
 */
#ifndef PLACE_H
#define PLACE_H

#include <limits.h>

#include "pp.h"

/* The path of a readable file DIR + NAME without links; false if there is
 * none. */
bool place_try(char ret_path[PATH_MAX], const char *dir, const char *name);

/* The directory of this program with its slash; "" if unknown. */
void place_of_program(char dir[PATH_MAX]);

#endif
