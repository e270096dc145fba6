/*
 * debuginfod.c - see debuginfod.h.
 */
#include "pp.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "debuginfod.h"
#include "tell.h"

#define CLIENT_LIBRARY "libdebuginfod.so.1"

struct client; /* debuginfod_client, opaque */
typedef int progress_fn(struct client *c, long a, long b);

static struct {
	bool tried;
	struct client *(*begin)(void);
	int (*find)(struct client *c, const unsigned char *id, int len,
		char **ret_path);
	void (*set_progress)(struct client *c, progress_fn *fn);
	void (*end)(struct client *c);
} api;

static time_t deadline;

static bool load_api(void)
{
	void *lib;

	if (api.tried)
		return api.begin;
	api.tried = true;
	lib = dlopen(CLIENT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		tell("--debuginfod: %s is not installed", CLIENT_LIBRARY);
		return false;
	}
	*(void **)&api.find = dlsym(lib, "debuginfod_find_debuginfo");
	*(void **)&api.set_progress = dlsym(lib, "debuginfod_set_progressfn");
	*(void **)&api.end = dlsym(lib, "debuginfod_end");
	if (api.find && api.set_progress && api.end)
		*(void **)&api.begin = dlsym(lib, "debuginfod_begin");
	return api.begin;
}

static time_t now_s(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Called about every second; anything but 0 gives up. */
static int progress(struct client *c, long a, long b)
{
	(void)c;
	(void)a;
	(void)b;
	return now_s() >= deadline;
}

bool debuginfod_get(
	const struct build_id *id, unsigned timeout_s, char ret_path[PATH_MAX])
{
	struct client *c = load_api() ? api.begin() : NULL;
	char *path = NULL, seconds[16];
	bool found;
	int fd;

	if (!c)
		return false;
	deadline = now_s() + (time_t)timeout_s;
	(void)snprintf(seconds, sizeof(seconds), "%u", timeout_s);
	(void)setenv("DEBUGINFOD_TIMEOUT", seconds, 1);
	api.set_progress(c, progress);
	fd = api.find(c, id->bytes, (int)id->len, &path);
	found = fd >= 0 && path &&
		snprintf(ret_path, PATH_MAX, "%s", path) < PATH_MAX;
	if (fd >= 0)
		(void)close(fd);
	free(path);
	api.end(c);
	return found;
}
