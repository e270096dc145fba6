/*
 * main.c - pprofc-symbolize, which `pprofc symbolize` runs.
 *
 * A process of its own: DWARF takes memory and time that no profiled program
 * should lend, and files that are damaged on purpose may crash only this.
 */
#include "pp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "background.h"
#include "cache.h"
#include "command.h"
#include "guard.h"
#include "load.h"
#include "replace.h"
#include "tell.h"

static int write_result(const struct command *c, const char *path,
	const struct load *loaded, const struct pprof *p)
{
	bool gone = false;
	int err = replace_file(c->output ? c->output : path,
		c->output ? NULL : &loaded->file, loaded->was_gzip, p, &gone);

	if (err)
		tell("cannot write %s: %s", c->output ? c->output : path,
			strerror(-err));
	return err;
}

static const char *last_of(char **files)
{
	while (files[1])
		files++;
	return *files;
}

static bool do_profile(const struct command *c, const char *path,
	const struct load *loaded, struct pprof *p)
{
	struct functions f;
	unsigned refused = 0;
	int err = functions_init(&f, p, c->options.style);

	if (!err)
		err = symbolize(&f, &c->options, &refused);
	if (err)
		tell("%s: %s", path, strerror(-err));
	else
		err = write_result(c, path, loaded, p);
	if (!err && c->options.cache && path != last_of(c->files))
		(void)cache_take(c->options.cache, p);
	functions_free(&f);
	return !err && !refused;
}

static bool do_file(const struct command *c, const char *path)
{
	struct pprof *p = NULL;
	struct load loaded;
	bool good = false;
	int err = load_file(path, &loaded);

	if (!err)
		err = pprof_read(loaded.data, loaded.len, &p);
	if (err)
		tell("%s %s", path, load_error(err));
	else
		good = do_profile(c, path, &loaded, p);
	pprof_free(p);
	load_free(&loaded);
	return good;
}

struct sized {
	char *path;
	off_t size;
};

static int larger_first(const void *a, const void *b)
{
	const struct sized *x = a, *y = b;

	return (x->size < y->size) - (x->size > y->size);
}

/* Of one program's profiles the large ones have most of what is in the others:
 * these then find it all in the cache. */
static void sort_files(char **files)
{
	struct sized *list;
	struct stat st;
	size_t n = 0;

	while (files[n])
		n++;
	list = calloc(n + 1, sizeof(*list));
	for (size_t i = 0; list && i < n; i++)
		list[i] = (struct sized){ files[i],
			stat(files[i], &st) == 0 ? st.st_size : 0 };
	if (list)
		qsort(list, n, sizeof(*list), larger_first);
	for (size_t i = 0; list && i < n; i++)
		files[i] = list[i].path;
	free(list);
}

/* Without memory, and for addresses that are to be changed, all is looked up.
 */
static void open_cache(struct command *c)
{
	if (c->options.rebase || !(c->cache_count || c->files[1]))
		return;
	sort_files(c->files);
	c->options.cache = cache_new(c->options.style);
	for (size_t i = 0; c->options.cache && i < c->cache_count; i++)
		cache_read(c->options.cache, c->caches[i]);
}

int main(int argc, char **argv) PP_ENTER_NORMAL;

int main(int argc, char **argv)
{
	struct command c;
	bool good = true;

	guard_environment();
	if (!command_read(argc, argv, &c))
		return COMMAND_USAGE;
	if (c.help)
		command_help();
	if (c.version)
		(void)printf("pprofc-symbolize " PPROFC_VERSION "\n");
	if (c.help || c.version)
		return 0;
	guard_limits();
	/* With a process it was started by that one, not by a user. */
	if (c.options.where.pid && !background_enter())
		return 1;
	open_cache(&c);
	for (char **path = c.files; *path; path++)
		good &= do_file(&c, *path);
	cache_free(c.options.cache);
	free(c.caches);
	free(c.options.where.debug_dirs);
	return good ? 0 : 1;
}
