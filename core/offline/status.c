/*
 * status.c - see status.h.
 */
#include "pp.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "say.h"
#include "status.h"

#define SHOWN_FILES 20u
#define SHOWN_PROBLEMS 10u

struct written {
	char *path, *kind;
	unsigned long samples;
	unsigned order; /* of writing: the profile of the end comes last */
};

struct problem {
	char *text;
	unsigned processes;
	long pid; /* of the first */
};

struct problems {
	struct problem *of;
	unsigned count;
};

struct status_summary {
	struct written *files;
	unsigned file_count;
	struct problems problems;
	struct problems not_meant; /* counts when there is no profile */
};

int status_create(struct status_file *ret)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	if (!tmp || *tmp != '/')
		tmp = "/tmp";
	(void)snprintf(ret->dir, sizeof(ret->dir), "%s/pprofc-XXXXXX", tmp);
	if (!mkdtemp(ret->dir))
		return -errno;
	(void)snprintf(ret->path, sizeof(ret->path), "%s/status", ret->dir);
	fd = open(ret->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0622) != 0 || chmod(ret->dir, 0711) != 0 ||
		setenv("PPROFC_STATUS", ret->path, 1) != 0) {
		int error = -errno;

		status_remove(ret);
		if (fd >= 0)
			(void)close(fd);
		return error;
	}
	(void)close(fd);
	return 0;
}

void status_remove(const struct status_file *f)
{
	(void)unlink(f->path);
	(void)rmdir(f->dir);
}

/* Room for one more element. Never returns NULL. */
static void *grow(void *array, unsigned count, size_t elem)
{
	void *p = array;

	if ((count & (count - 1)) == 0) /* 0, 1, 2, 4, ...: double */
		p = reallocarray(array, count ? count * 2u : 1u, elem);
	if (!p) {
		say("no memory");
		exit(EXIT_PPROFC);
	}
	return p;
}

static char *copy_string(const char *s)
{
	char *copy = strdup(s);

	if (!copy) {
		say("no memory");
		exit(EXIT_PPROFC);
	}
	return copy;
}

/* The library cannot name errors in words: it runs in signal handlers. */
static void append_reason(const char *text, char *buf, size_t size)
{
	const char *number = strstr(text, "error ");
	long error = number ? strtol(number + strlen("error "), NULL, 10) : 0;

	if (error > 0 && error < 4096)
		(void)snprintf(
			buf, size, "%s (%s)", text, strerror((int)error));
	else
		(void)snprintf(buf, size, "%s", text);
}

/* "wrote PATH (KIND, N samples)", cut apart in place. The path may hold
 * anything, so it is read from the end. */
static bool parse_written(char *text, struct written *ret)
{
	static const char wrote[] = "wrote ";
	char *open = strrchr(text, '('), *comma, *end;

	if (strncmp(text, wrote, sizeof(wrote) - 1) != 0 || !open ||
		open < text + sizeof(wrote) || open[-1] != ' ')
		return false;
	comma = strstr(open, ", ");
	if (!comma)
		return false;
	ret->samples = strtoul(comma + 2, &end, 10);
	if (end == comma + 2 || strncmp(end, " sample", 7) != 0)
		return false;
	open[-1] = '\0';
	*comma = '\0';
	ret->path = text + sizeof(wrote) - 1;
	ret->kind = open + 1;
	return true;
}

static void add_file(struct status_summary *s, const struct written *w)
{
	if (access(w->path, F_OK) != 0)
		return; /* PPROFC_KEEP or somebody else removed it */
	s->files = grow(s->files, s->file_count, sizeof(*s->files));
	s->files[s->file_count] = (struct written){ copy_string(w->path),
		copy_string(w->kind), w->samples, s->file_count };
	s->file_count++;
}

static void add_problem(struct problems *to, const char *text, long pid)
{
	for (unsigned i = 0; i < to->count; i++) {
		if (strcmp(to->of[i].text, text) == 0) {
			to->of[i].processes++;
			return;
		}
	}
	to->of = grow(to->of, to->count, sizeof(*to->of));
	to->of[to->count++] = (struct problem){ copy_string(text), 1, pid };
}

static bool says_not_meant(const char *text)
{
	return strncmp(text, CONFIG_NOT_MEANT, sizeof(CONFIG_NOT_MEANT) - 1) ==
	       0;
}

static void add_line(struct status_summary *s, char *line)
{
	struct written w;
	char *end = line;
	long pid = 0;

	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "pprofc[", 7) == 0)
		pid = strtol(line + 7, &end, 10);
	if (pid > 0 && strncmp(end, "]: ", 3) == 0)
		line = end + 3;
	if (parse_written(line, &w))
		add_file(s, &w);
	else if (*line)
		add_problem(says_not_meant(line) ? &s->not_meant : &s->problems,
			line, pid);
}

static void read_lines(const struct status_file *f, struct status_summary *s)
{
	FILE *in = fopen(f->path, "re");
	char *line = NULL;
	size_t size = 0;

	status_remove(f);
	while (in && getline(&line, &size, in) > 0)
		add_line(s, line);
	free(line);
	if (in)
		(void)fclose(in);
}

/* The largest first; of equal ones the latest. */
static int by_samples(const void *a, const void *b)
{
	const struct written *x = a, *y = b;

	if (x->samples != y->samples)
		return x->samples < y->samples ? 1 : -1;
	return x->order < y->order ? 1 : -1;
}

static int by_order(const void *a, const void *b)
{
	const struct written *x = a, *y = b;

	return x->order < y->order ? -1 : 1;
}

/* As the user would write it here: relative if it lies below us. */
static const char *near_path(const char *path)
{
	char cwd[PATH_MAX];
	size_t n;

	if (!getcwd(cwd, sizeof(cwd)))
		return path;
	n = strlen(cwd);
	if (strncmp(path, cwd, n) != 0 || path[n] != '/' || path[n + 1] == '-')
		return path;
	return path + n + 1;
}

/* For the shell; in quotes only where needed. */
static void quote(const char *s, char *buf, size_t size)
{
	size_t n = 0;

	if (*s && s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "/._-+,:@%=")] == '\0') {
		(void)snprintf(buf, size, "%s", s);
		return;
	}
	buf[n++] = '\'';
	for (; *s && n + 6 < size; s++) {
		if (*s == '\'')
			n += (size_t)snprintf(buf + n, size - n, "'\\''");
		else
			buf[n++] = *s;
	}
	buf[n++] = '\'';
	buf[n] = '\0';
}

/* The first in by_samples() of its kind. */
static bool is_first_of_kind(
	const struct status_summary *s, const struct written *w)
{
	for (unsigned i = 0; i < s->file_count; i++) {
		const struct written *other = &s->files[i];

		if (other != w && strcmp(other->kind, w->kind) == 0 &&
			by_samples(other, w) < 0)
			return false;
	}
	return true;
}

static void say_how_to_open(const struct status_summary *s)
{
	for (unsigned i = 0; i < s->file_count; i++) {
		char quoted[PATH_MAX + 16];

		if (!is_first_of_kind(s, &s->files[i]))
			continue;
		quote(near_path(s->files[i].path), quoted, sizeof(quoted));
		say("to see it: go tool pprof -http=: %s", quoted);
	}
}

/* The largest, in the order in which they were written. */
static void say_files(struct status_summary *s)
{
	unsigned shown = PP_MIN(s->file_count, SHOWN_FILES);

	if (shown < s->file_count)
		qsort(s->files, s->file_count, sizeof(*s->files), by_samples);
	if (shown)
		qsort(s->files, shown, sizeof(*s->files), by_order);
	for (unsigned i = 0; i < shown; i++)
		say("wrote %s (%s, %lu sample%s)", near_path(s->files[i].path),
			s->files[i].kind, s->files[i].samples,
			s->files[i].samples == 1 ? "" : "s");
	if (shown < s->file_count)
		say("and %u more profiles with fewer samples",
			s->file_count - shown);
}

static void say_problems(const struct problems *all)
{
	unsigned shown = PP_MIN(all->count, SHOWN_PROBLEMS);

	for (unsigned i = 0; i < shown; i++) {
		const struct problem *p = &all->of[i];
		char text[1024];

		append_reason(p->text, text, sizeof(text));
		if (p->processes > 1)
			say("process %ld (and %u times more): %s", p->pid,
				p->processes - 1, text);
		else
			say("process %ld: %s", p->pid, text);
	}
	if (shown < all->count)
		say("and %u other messages", all->count - shown);
}

static void problems_free(struct problems *all)
{
	for (unsigned i = 0; i < all->count; i++)
		free(all->of[i].text);
	free(all->of);
}

struct status_summary *status_read(const struct status_file *f)
{
	struct status_summary *s = grow(NULL, 0, sizeof(*s));

	*s = (struct status_summary){ 0 };
	read_lines(f, s);
	return s;
}

char **status_profiles(const struct status_summary *s, unsigned *ret_count)
{
	char **paths = NULL;

	for (unsigned i = 0; i < s->file_count; i++) {
		paths = grow(paths, i, sizeof(*paths));
		paths[i] = s->files[i].path;
	}
	*ret_count = s->file_count;
	return paths;
}

struct status_counts status_say(struct status_summary *s)
{
	say_files(s);
	say_problems(&s->problems);
	if (s->file_count == 0)
		say_problems(&s->not_meant);
	say_how_to_open(s);
	return (struct status_counts){ s->file_count,
		s->problems.count + s->not_meant.count };
}

void status_free(struct status_summary *s)
{
	for (unsigned i = 0; i < s->file_count; i++) {
		free(s->files[i].path);
		free(s->files[i].kind);
	}
	free(s->files);
	problems_free(&s->problems);
	problems_free(&s->not_meant);
	free(s);
}
