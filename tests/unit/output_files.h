/*
 * output_files.h - profile files in a directory of the test's own. For the
 * tests of output.c.
 */
#ifndef OUTPUT_FILES_H
#define OUTPUT_FILES_H

#include "pp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "output.h"

#include "test.h"

static char dir[64];
static struct settings set;

static inline struct output_name name_of(
	const char *template, unsigned profiles, uint32_t number)
{
	memset(&set, 0, sizeof(set));
	(void)snprintf(set.output, sizeof(set.output), "%s", template);
	(void)snprintf(set.program, sizeof(set.program), "app");
	(void)snprintf(set.host, sizeof(set.host), "box");
	set.profiles = profiles;
	return (struct output_name){ .settings = &set,
		.kind = PROFILE_HEAP,
		.pid = 77,
		.number = number,
		.start_s = 1700000000 };
}

#define ONE PROFILE_BIT(PROFILE_HEAP)
#define TWO (ONE | PROFILE_BIT(PROFILE_CPU))

/* --- files --------------------------------------------------------------- */

static inline const char *at(const char *file)
{
	static char path[2][200];
	static unsigned turn;

	turn ^= 1;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, file);
	return path[turn];
}

static inline void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	if (!f)
		return;
	CHECK(fputs(text, f) >= 0);
	CHECK_EQ(fclose(f), 0);
}

static inline bool holds(const char *path, const char *text)
{
	char buf[100] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	(void)fclose(f);
	return strcmp(buf, text) == 0;
}

static inline unsigned files_in(const char *path)
{
	unsigned n = 0;
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n;
}

static inline void fresh_dir(void)
{
	char cmd[100];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	CHECK_EQ(system(cmd), 0);
	CHECK_EQ(mkdir(dir, 0755), 0);
}

static inline int write_text(
	const struct output_name *name, const char *text, char *ret_path)
{
	struct output o;
	int err = output_begin(&o, name);

	if (err)
		return err;
	err = output_write(&o, text, strlen(text));
	if (err) {
		output_abort(&o);
		return err;
	}
	err = output_commit(&o);
	if (!err && ret_path)
		strcpy(ret_path, o.path);
	return err;
}

static inline void begin_output(void)
{
	(void)snprintf(
		dir, sizeof(dir), "/tmp/pprofc-test-output.%d", getpid());
}

static inline void end_output(void)
{
	fresh_dir();
	(void)rmdir(dir);
}

#endif
