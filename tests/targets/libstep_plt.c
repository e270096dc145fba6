/*
 * libstep_plt.c - calls through a procedure linkage table that is bound
 * lazily: each function's first call goes through the resolver. Each set is
 * called once, so that every class of the single-step test has fresh ones.
 * BUILD: -Wl,-z,lazy
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

int step_plt(const char *s);

static volatile size_t sink;

int step_plt(const char *s)
{
	sink += strlen(s);
	sink += strspn(s, "abc");
	sink += (size_t)atoi(s);
	sink += (size_t)labs(-(long)sink);
	sink += (size_t)strcmp(s, "b");
	sink += (size_t)time(NULL);
	return (int)strtol(s, NULL, 10);
}
