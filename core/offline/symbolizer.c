/*
 * symbolizer.c - see symbolizer.h.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"
#include "say.h"
#include "symbolizer.h"

#define SYMBOLIZER "pprofc-symbolize"

bool symbolizer_find(char ret_path[PATH_MAX])
{
	char dir[PATH_MAX];

	place_of_program(dir);
	return (*dir && place_try(ret_path, dir, SYMBOLIZER)) ||
	       place_try(ret_path, PPROFC_LIBEXECDIR, "/" SYMBOLIZER) ||
	       (*dir && place_try(ret_path, dir,
				"../libexec/pprofc/" SYMBOLIZER));
}

int symbolizer_main(char **argv)
{
	char path[PATH_MAX];

	if (!symbolizer_find(path)) {
		say("%s is not installed: neither beside pprofc nor in %s",
			SYMBOLIZER, PPROFC_LIBEXECDIR);
		return EXIT_PPROFC;
	}
	/* It must not be profiled: its own profiles would want it, too. */
	(void)unsetenv("LD_PRELOAD");
	(void)execv(path, argv);
	say("cannot execute %s: %s", path, strerror(errno));
	return EXIT_PPROFC;
}
