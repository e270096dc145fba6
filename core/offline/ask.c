/*
 * ask.c - see ask.h.
 */
#include "pp.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ask.h"
#include "ask_whom.h"
#include "say.h"
#include "session.h"
#include "sys.h"

/* --- its session ---------------------------------------------------------- */

/* A line of /proc/PID/maps: the session of that process in its own memory. */
static bool is_session(const char *line, char ret_path[PATH_MAX])
{
	const char *path = strchr(line, '/');
	const char *name = path ? strrchr(path, '/') : NULL;
	size_t len = path ? strcspn(path, "\n") : 0;

	if (!name || strncmp(name, "/pprofc.", 8) != 0 || len < 8 ||
		len >= PATH_MAX || strncmp(path + len - 8, ".session", 8) != 0)
		return false;
	memcpy(ret_path, path, len);
	ret_path[len] = '\0';
	return true;
}

/* Its file is read, not mapped: the process may cut it off at any moment. */
struct view {
	int fd;
	struct session head; /* as it was read last */
};

enum found {
	FOUND,
	FOUND_NO_PROCESS,
	FOUND_NO_LIBRARY,
	FOUND_NO_SESSION,
	FOUND_CUT
};

static bool read_at(int fd, void *to, size_t n, size_t off)
{
	return pread(fd, to, n, (off_t)off) == (ssize_t)n;
}

static bool read_head(struct view *v)
{
	return read_at(v->fd, &v->head, sizeof(v->head), 0);
}

static PP_NORMAL void say_cut(pid_t pid)
{
	say("process %d: its session file has been cut off", (int)pid);
}

/* The path is as the process itself finds it, which may have another root. */
static PP_NORMAL int open_inside(const char *inside, pid_t pid)
{
	char path[PATH_MAX + 32];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, inside);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	(void)close(fd);
	return -1;
}

/* Its own, not that of its parent, which a forked child may still have. */
static PP_NORMAL enum found open_if_own(
	const char *inside, pid_t pid, struct view *v)
{
	const struct session *s = &v->head;
	enum found found = FOUND_CUT;

	v->fd = open_inside(inside, pid);
	if (v->fd < 0)
		return FOUND_NO_SESSION;
	if (read_head(v))
		found = s->magic != SESSION_MAGIC ||
					s->version != SESSION_VERSION ||
					s->identity.pid ==
						(uint32_t)whom_pid_inside(pid)
				? FOUND
				: FOUND_NO_SESSION;
	if (found != FOUND)
		(void)close(v->fd);
	return found;
}

static PP_NORMAL enum found find_session(pid_t pid, struct view *v)
{
	char name[64], line[PATH_MAX + 256], path[PATH_MAX];
	enum found found = FOUND_NO_LIBRARY;
	FILE *maps;

	(void)snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps)
		return FOUND_NO_PROCESS;
	while (found != FOUND && fgets(line, sizeof(line), maps)) {
		if (found == FOUND_NO_LIBRARY && strstr(line, "/libpprofc.so"))
			found = FOUND_NO_SESSION;
		if (is_session(line, path))
			found = open_if_own(path, pid, v);
	}
	(void)fclose(maps);
	return found;
}

static bool is_usable(const struct session *s, pid_t pid)
{
	if (s->magic != SESSION_MAGIC || s->version != SESSION_VERSION ||
		atomic_load(&s->state) == SESSION_NEW) {
		say("process %d is profiled by another version of pprofc",
			(int)pid);
		return false;
	}
	if (!atomic_load(&s->asking.signal)) {
		say("process %d cannot be asked: it has no CPU profile and no "
		    "goroutine profile in PPROFC_PROFILES",
			(int)pid);
		return false;
	}
	return true;
}

static PP_NORMAL bool open_session(pid_t pid, struct view *v)
{
	switch (find_session(pid, v)) {
	case FOUND_NO_PROCESS:
		say("process %d: %s", (int)pid,
			strerror(errno == ENOENT ? ESRCH : errno));
		return false;
	case FOUND_NO_LIBRARY:
		say("process %d is not profiled: libpprofc.so is not loaded",
			(int)pid);
		return false;
	case FOUND_NO_SESSION:
		say("process %d has no session file: it has recorded nothing "
		    "yet, or PPROFC_SESSION is anonymous",
			(int)pid);
		return false;
	case FOUND_CUT:
		say_cut(pid);
		return false;
	case FOUND:
		break;
	}
	if (is_usable(&v->head, pid))
		return true;
	(void)close(v->fd);
	return false;
}

/* --- the question --------------------------------------------------------- */

static PP_NORMAL bool send(pid_t pid, int sig, uint32_t kinds)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };
	pid_t tid = whom_to_signal(pid, sig);
	long err;

	if (!tid) {
		say("process %d has ended, or blocks all signals", (int)pid);
		return false;
	}
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)(uintptr_t)(ASKING_MAGIC << 32 |
						      kinds);
	err = sys_call4(SYS_rt_tgsigqueueinfo, pid, tid, sig, &info);
	if (err)
		say("process %d: %s", (int)pid, strerror((int)-err));
	return !err;
}

/* --- the answer ----------------------------------------------------------- */

static PP_NORMAL bool has_ended(uint32_t state, pid_t pid)
{
	return state == SESSION_FINAL ||
	       (kill(pid, 0) != 0 && errno == ESRCH) || !whom_pid_inside(pid);
}

static PP_NORMAL bool await(
	const struct view *v, pid_t pid, uint32_t before, unsigned seconds)
{
	static const struct timespec pause = { 0, 2000000 };
	uint32_t answered, state;

	for (unsigned i = 0; i < seconds * 500; i++) {
		if (!read_at(v->fd, &answered, sizeof(answered),
			    offsetof(struct session, asking.answered)) ||
			!read_at(v->fd, &state, sizeof(state),
				offsetof(struct session, state))) {
			say_cut(pid);
			return false;
		}
		if (answered != before)
			return true;
		if (has_ended(state, pid)) {
			say("process %d has ended", (int)pid);
			return false;
		}
		(void)nanosleep(&pause, NULL);
	}
	say("process %d does not answer", (int)pid);
	return false;
}

/* Before and after: the head may have changed since it was read. */
static PP_NORMAL bool read_again(struct view *v, pid_t pid)
{
	if (read_head(v))
		return true;
	say_cut(pid);
	return false;
}

/* One of us at a time, so that each answer belongs to its question. */
static PP_NORMAL bool ask_locked(struct view *v, pid_t pid, uint32_t kinds,
	unsigned seconds, struct answer *ret)
{
	struct session_asking *asking = &v->head.asking;
	uint32_t written[PROFILE_KINDS];

	if (!read_again(v, pid))
		return false;
	for (unsigned k = 0; k < PROFILE_KINDS; k++)
		written[k] = atomic_load(&asking->written[k]);
	if (!send(pid, atomic_load(&asking->signal), kinds) ||
		!await(v, pid, atomic_load(&asking->answered), seconds) ||
		!read_again(v, pid))
		return false;
	for (unsigned k = 0; k < PROFILE_KINDS; k++) {
		bool same = atomic_load(&asking->written[k]) == written[k];

		(void)snprintf(ret->paths[k], sizeof(ret->paths[k]), "%.*s",
			(int)sizeof(asking->paths[k]) - 1,
			same ? "" : asking->paths[k]);
	}
	return true;
}

/* Whoever can open the file can keep its lock. Where there are no locks nobody
 * is kept out. */
static PP_NORMAL bool lock(int fd, pid_t pid, unsigned seconds)
{
	static const struct timespec pause = { 0, 2000000 };

	for (unsigned i = 0; i < seconds * 500; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return true;
		(void)nanosleep(&pause, NULL);
	}
	say("process %d is being asked by somebody else all the time",
		(int)pid);
	return false;
}

bool ask(pid_t pid, uint32_t kinds, bool names_only, unsigned seconds,
	struct answer *ret)
{
	static struct view view; /* large */
	bool good;

	*ret = (struct answer){ 0 };
	if (!open_session(pid, &view))
		return false;
	good = lock(view.fd, pid, seconds) &&
	       ask_locked(&view, pid,
		       kinds | (names_only ? ASKING_NAMES_ONLY : 0), seconds,
		       ret);
	(void)close(view.fd);
	return good;
}
