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

enum found { FOUND, FOUND_NO_PROCESS, FOUND_NO_LIBRARY, FOUND_NO_SESSION };

static void unmap(const struct session *s)
{
	(void)munmap((void *)(uintptr_t)s, sizeof(*s));
}

/* Map the head of a session file; *ret_fd is open if that succeeds. */
static const struct session *map_file(const char *path, int *ret_fd)
{
	void *p = MAP_FAILED;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct session))
		p = mmap(NULL, sizeof(struct session), PROT_READ, MAP_SHARED,
			fd, 0);
	if (p == MAP_FAILED) {
		(void)close(fd);
		return NULL;
	}
	*ret_fd = fd;
	return p;
}

/* Its own, not that of its parent, which a forked child may still have. The
 * path is as the process itself finds it, which may have another root. */
static PP_NORMAL const struct session *map_if_own(
	const char *inside, pid_t pid, int *ret_fd)
{
	char path[PATH_MAX + 32];
	const struct session *s;

	(void)snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, inside);
	s = map_file(path, ret_fd);
	if (!s)
		return NULL;
	if (s->magic != SESSION_MAGIC || s->version != SESSION_VERSION ||
		s->identity.pid == (uint32_t)whom_pid_inside(pid))
		return s;
	unmap(s);
	(void)close(*ret_fd);
	return NULL;
}

static PP_NORMAL enum found find_session(
	pid_t pid, const struct session **ret, int *ret_fd)
{
	char name[64], line[PATH_MAX + 256], path[PATH_MAX];
	enum found found = FOUND_NO_LIBRARY;
	FILE *maps;

	(void)snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps)
		return FOUND_NO_PROCESS;
	while (found != FOUND && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "/libpprofc.so"))
			found = FOUND_NO_SESSION;
		if (!is_session(line, path))
			continue;
		*ret = map_if_own(path, pid, ret_fd);
		if (*ret)
			found = FOUND;
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

static PP_NORMAL const struct session *open_session(pid_t pid, int *ret_fd)
{
	const struct session *s = NULL;

	switch (find_session(pid, &s, ret_fd)) {
	case FOUND_NO_PROCESS:
		say("process %d: %s", (int)pid,
			strerror(errno == ENOENT ? ESRCH : errno));
		return NULL;
	case FOUND_NO_LIBRARY:
		say("process %d is not profiled: libpprofc.so is not loaded",
			(int)pid);
		return NULL;
	case FOUND_NO_SESSION:
		say("process %d has no session file: it has recorded nothing "
		    "yet, or PPROFC_SESSION is anonymous",
			(int)pid);
		return NULL;
	case FOUND:
		break;
	}
	if (is_usable(s, pid))
		return s;
	unmap(s);
	(void)close(*ret_fd);
	return NULL;
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

static PP_NORMAL bool has_ended(const struct session *s, pid_t pid)
{
	return atomic_load(&s->state) == SESSION_FINAL ||
	       (kill(pid, 0) != 0 && errno == ESRCH) || !whom_pid_inside(pid);
}

static PP_NORMAL bool await(
	const struct session *s, pid_t pid, uint32_t before, unsigned seconds)
{
	static const struct timespec pause = { 0, 2000000 };

	for (unsigned i = 0; i < seconds * 500; i++) {
		if (atomic_load(&s->asking.answered) != before)
			return true;
		if (has_ended(s, pid)) {
			say("process %d has ended", (int)pid);
			return false;
		}
		(void)nanosleep(&pause, NULL);
	}
	say("process %d does not answer", (int)pid);
	return false;
}

/* One of us at a time, so that each answer belongs to its question. */
static PP_NORMAL bool ask_locked(const struct session *s, pid_t pid,
	uint32_t kinds, unsigned seconds, struct answer *ret)
{
	uint32_t before = atomic_load(&s->asking.answered);
	uint32_t written[PROFILE_KINDS];

	for (unsigned k = 0; k < PROFILE_KINDS; k++)
		written[k] = atomic_load(&s->asking.written[k]);
	if (!send(pid, atomic_load(&s->asking.signal), kinds) ||
		!await(s, pid, before, seconds))
		return false;
	for (unsigned k = 0; k < PROFILE_KINDS; k++) {
		bool same = atomic_load(&s->asking.written[k]) == written[k];

		(void)snprintf(ret->paths[k], sizeof(ret->paths[k]), "%.*s",
			(int)sizeof(s->asking.paths[k]) - 1,
			same ? "" : s->asking.paths[k]);
	}
	return true;
}

bool ask(pid_t pid, uint32_t kinds, bool names_only, unsigned seconds,
	struct answer *ret)
{
	int fd;
	const struct session *s = open_session(pid, &fd);
	bool good;

	*ret = (struct answer){ 0 };
	if (!s)
		return false;
	(void)flock(fd, LOCK_EX);
	good = ask_locked(s, pid, kinds | (names_only ? ASKING_NAMES_ONLY : 0),
		seconds, ret);
	(void)close(fd);
	unmap(s);
	return good;
}
