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

#include "background.h"
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
	for (char **path = c.files; *path; path++)
		good &= do_file(&c, *path);
	free(c.options.where.debug_dirs);
	return good ? 0 : 1;
}
