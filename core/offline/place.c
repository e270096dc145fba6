/*
 * place.c - see place.h.
 */
#include "pp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"

bool place_try(char ret_path[PATH_MAX], const char *dir, const char *name)
{
	char joined[PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s%s", dir, name);

	return n > 0 && (size_t)n < sizeof(joined) &&
	       access(joined, R_OK) == 0 && realpath(joined, ret_path);
}

void place_of_program(char dir[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		slash[1] = '\0';
}
