/*
 * library.c - see library.h.
 */
#include "pp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "place.h"
#include "say.h"

#define LIBRARY "libpprofc.so"

bool library_find(char ret_path[PATH_MAX])
{
	const char *named = getenv("PPROFC_LIBRARY");
	char dir[PATH_MAX];

	if (named && *named) {
		if (place_try(ret_path, named, ""))
			return true;
		say("PPROFC_LIBRARY=%s: cannot read it", named);
		return false;
	}
	place_of_program(dir);
	if (*dir && place_try(ret_path, dir, LIBRARY))
		return true;
	if (place_try(ret_path, PPROFC_LIBDIR, "/" LIBRARY))
		return true;
	if (*dir && place_try(ret_path, dir, "../lib/" LIBRARY))
		return true;
	say("cannot find %s: neither beside %s nor in %s; set PPROFC_LIBRARY "
	    "to its path",
		LIBRARY, *dir ? dir : "this program", PPROFC_LIBDIR);
	return false;
}

static bool is_listed(const char *list, const char *path)
{
	size_t len = strlen(path);

	for (const char *s = list; s && *s; s += strspn(s, ": ")) {
		size_t n = strcspn(s, ": ");

		if (n == len && memcmp(s, path, n) == 0)
			return true;
		s += n;
	}
	return false;
}

bool library_preload(const char *path)
{
	const char *before = getenv("LD_PRELOAD");
	char *list = NULL;
	int failed;

	/* The loader splits at the first two and expands the last. */
	if (strpbrk(path, ": $")) {
		say("%s cannot be preloaded: its path has a blank, a colon or "
		    "a dollar sign",
			path);
		return false;
	}
	if (is_listed(before, path))
		return true;
	failed = asprintf(&list, "%s%s%s", path, before && *before ? ":" : "",
			 before ? before : "") < 0 ||
		 setenv("LD_PRELOAD", list, 1) != 0;
	free(list);
	if (failed)
		say("no memory");
	return !failed;
}
