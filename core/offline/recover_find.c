/*
 * recover_find.c - see recover_find.h.
 */
#include "pp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fmt.h"
#include "recover_find.h"
#include "say.h"
#include "session_open.h"
#include "session_place.h"

#define ABANDONED_S 60 /* making a session takes a millisecond */
#define PATTERN "pprofc.*.session"

struct seen {
	uint64_t dev, ino;
};

struct search {
	finding_fn *visit;
	void *arg;
	struct seen *seen;
	unsigned count;
	struct finding now;
};

void finding_why(int error, uint32_t version, char ret_text[FIND_WHY_MAX])
{
	const char *text;

	switch (error) {
	case SESSION_NONE:
		text = "this is no session of pprofc";
		break;
	case SESSION_UNFINISHED:
		text = "the session was just being made: there is nothing in "
		       "it";
		break;
	case SESSION_CUT:
		text = "the session is cut off: a part of the file is missing";
		break;
	case SESSION_DAMAGED:
		text = "the session is damaged: its tables cannot be";
		break;
	case SESSION_OTHER_VERSION:
		(void)snprintf(ret_text, FIND_WHY_MAX,
			"the session is of another version of pprofc (format "
			"%u, this one reads %u)",
			version, SESSION_VERSION);
		return;
	default:
		text = strerror(-error);
	}
	(void)snprintf(ret_text, FIND_WHY_MAX, "%s", text);
}

/* Where files cannot be locked nobody is kept out. */
bool finding_claim(const struct finding *f, int *ret_fd)
{
	struct stat st;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool mine = fd >= 0 &&
		    (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK);

	if (mine)
		mine = fstat(fd, &st) == 0 && st.st_nlink &&
		       st.st_dev == f->dev && st.st_ino == f->ino;
	if (!mine && fd >= 0)
		(void)close(fd);
	*ret_fd = mine ? fd : -1;
	return mine;
}

bool finding_remove(const struct finding *f)
{
	struct stat st;

	if (lstat(f->path, &st) == 0 &&
		(st.st_dev != f->dev || st.st_ino != f->ino))
		return true; /* somebody was quicker */
	if (unlink(f->path) == 0 || errno == ENOENT)
		return true;
	say("cannot remove %s: %s", f->path, strerror(errno));
	return false;
}

/* Its maker was killed at once: nobody else will ever remove it. */
bool finding_is_abandoned(const struct finding *f)
{
	const char *name = strrchr(f->path, '/');
	unsigned pid = 0;
	struct stat st;

	name = name ? name + 1 : f->path;
	return f->error == SESSION_UNFINISHED && !f->of_others &&
	       sscanf(name, "pprofc.%u.", &pid) == 1 && pid &&
	       stat(f->path, &st) == 0 &&
	       time(NULL) - st.st_mtime > ABANDONED_S &&
	       kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static bool was_seen(struct search *s, uint64_t dev, uint64_t ino)
{
	struct seen *more;

	for (unsigned i = 0; i < s->count; i++) {
		if (s->seen[i].dev == dev && s->seen[i].ino == ino)
			return true;
	}
	more = reallocarray(s->seen, s->count + 1u, sizeof(*more));
	if (!more) {
		say("no memory");
		exit(EXIT_PPROFC);
	}
	s->seen = more;
	s->seen[s->count++] = (struct seen){ dev, ino };
	return false;
}

/* A FIFO or a device is not waited for. */
static int open_file(struct finding *f, struct stat *st)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
				       (f->named ? 0 : O_NOFOLLOW));

	f->error = 0;
	if (fd < 0 || fstat(fd, st) != 0)
		f->error = -errno;
	else if (!S_ISREG(st->st_mode))
		f->error = SESSION_NONE;
	return fd;
}

static void look_at(struct search *s, bool named)
{
	struct finding *f = &s->now;
	struct stat st;
	int fd;

	f->named = named;
	f->head.version = 0;
	fd = open_file(f, &st);
	if (!f->error) {
		f->of_others = st.st_uid != geteuid();
		f->bytes = (uint64_t)st.st_blocks * 512;
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->error = session_read_header(
			&(struct session_source){ fd, 0, (uint64_t)st.st_size },
			&f->head);
	}
	if (fd >= 0)
		(void)close(fd);
	if (fd < 0 && !named)
		return; /* another user's, or gone */
	if (fd >= 0 && was_seen(s, st.st_dev, st.st_ino))
		return;
	if (!f->error)
		f->fate = fate_of(&f->head, f->path);
	s->visit(f, s->arg);
}

static void look_into(struct search *s, const char *dir, DIR *d)
{
	struct dirent *e;

	while ((e = readdir(d))) {
		if (fnmatch(PATTERN, e->d_name, 0) != 0)
			continue;
		(void)snprintf(s->now.path, sizeof(s->now.path), "%s%s%s", dir,
			dir[strlen(dir) - 1] == '/' ? "" : "/", e->d_name);
		look_at(s, false);
	}
}

unsigned find_sessions(char *const *names, finding_fn *visit, void *arg)
{
	struct search *s = calloc(1, sizeof(*s));
	unsigned count;

	if (!s) {
		say("no memory");
		exit(EXIT_PPROFC);
	}
	s->visit = visit;
	s->arg = arg;
	for (; *names; names++) {
		DIR *d = **names ? opendir(*names) : NULL;

		if (d) {
			look_into(s, *names, d);
			(void)closedir(d);
		} else if (str_copy(s->now.path, sizeof(s->now.path), *names)) {
			look_at(s, true);
		}
	}
	count = s->count;
	free(s->seen);
	free(s);
	return count;
}

void find_usual_places(const struct settings *settings, struct find_places *ret)
{
	unsigned n = 0;

	*ret = (struct find_places){ 0 };
	(void)str_copy(ret->paths[n++], SETTINGS_PATH_MAX, "/dev/shm");
	(void)str_copy(ret->paths[n++], SETTINGS_PATH_MAX, ".");
	if (settings->session_place == SESSION_DIR)
		(void)str_copy(ret->paths[n++], SETTINGS_PATH_MAX,
			settings->session_dir);
	session_output_directory(settings, ret->paths[n++], SETTINGS_PATH_MAX);
	/* One that is not there is nobody's mistake. */
	for (unsigned i = 0, at = 0; i < n; i++) {
		if (access(ret->paths[i], R_OK | X_OK) == 0)
			ret->names[at++] = ret->paths[i];
	}
}
