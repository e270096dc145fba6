/*
 * ask.c - see ask.h.
 */
#include "pp.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
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

/* As the process itself would find it, which may have another root. */
static enum found find_session(pid_t pid, char ret_path[PATH_MAX])
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
		if (is_session(line, path))
			found = FOUND;
	}
	(void)fclose(maps);
	if (found == FOUND && snprintf(ret_path, PATH_MAX, "/proc/%d/root%s",
				      (int)pid, path) >= PATH_MAX)
		found = FOUND_NO_SESSION;
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

static const struct session *map_session(pid_t pid)
{
	char path[PATH_MAX];
	const struct session *s = NULL;
	struct stat st;
	void *p;
	int fd;

	switch (find_session(pid, path)) {
	case FOUND_NO_PROCESS:
		say("process %d: %s", (int)pid, strerror(errno));
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
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0) {
		say("%s: %s", path, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	p = st.st_size < (off_t)sizeof(*s)
		    ? MAP_FAILED
		    : mmap(NULL, sizeof(*s), PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED) {
		say("%s: cannot be read", path);
		return NULL;
	}
	s = p;
	if (is_usable(s, pid))
		return s;
	(void)munmap(p, sizeof(*s));
	return NULL;
}

/* --- whom to send the signal ---------------------------------------------- */

/* How little a thread minds a handler with SA_RESTART, from /proc. */
static int suitability(pid_t pid, const char *tid)
{
	char path[PATH_MAX], line[256] = "";
	unsigned long long args[6] = { 0 };
	FILE *f;
	int call = -2;

	(void)snprintf(
		path, sizeof(path), "/proc/%d/task/%s/syscall", (int)pid, tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	(void)fgets(line, sizeof(line), f);
	(void)fclose(f);
	if (sscanf(line, "%d %llx %llx %llx %llx", &call, &args[0], &args[1],
		    &args[2], &args[3]) < 1)
		return 1; /* running */
	if (call == SYS_futex && args[3] == 0)
		return 3; /* no time limit: begins again */
	return call == SYS_wait4 || call == SYS_waitid ? 2 : 0;
}

static pid_t choose_thread(pid_t pid)
{
	char path[64];
	pid_t best = pid;
	int best_of = -1;
	struct dirent *e;
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && best_of < 3 && (e = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		int of = tid > 0 ? suitability(pid, e->d_name) : -1;

		if (of > best_of) {
			best = tid;
			best_of = of;
		}
	}
	if (tasks)
		(void)closedir(tasks);
	return best;
}

static bool send(pid_t pid, int sig, uint32_t kinds)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };
	long err;

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)(uintptr_t)(ASKING_MAGIC << 32 |
						      kinds);
	err = sys_call4(
		SYS_rt_tgsigqueueinfo, pid, choose_thread(pid), sig, &info);
	if (err)
		say("process %d: %s", (int)pid, strerror((int)-err));
	return !err;
}

/* --- the answer ----------------------------------------------------------- */

static bool await(
	const struct session *s, pid_t pid, uint32_t before, unsigned seconds)
{
	static const struct timespec pause = { 0, 2000000 };

	for (unsigned i = 0; i < seconds * 500; i++) {
		if (atomic_load(&s->asking.answered) != before)
			return true;
		if (kill(pid, 0) != 0 && errno == ESRCH) {
			say("process %d has ended", (int)pid);
			return false;
		}
		(void)nanosleep(&pause, NULL);
	}
	say("process %d does not answer", (int)pid);
	return false;
}

bool ask(pid_t pid, uint32_t kinds, bool names_only, unsigned seconds,
	struct answer *ret)
{
	const struct session *s = map_session(pid);
	uint32_t before, written[PROFILE_KINDS];
	bool good;

	if (!s)
		return false;
	before = atomic_load(&s->asking.answered);
	for (unsigned k = 0; k < PROFILE_KINDS; k++)
		written[k] = atomic_load(&s->asking.written[k]);
	good = send(pid, atomic_load(&s->asking.signal),
		       kinds | (names_only ? ASKING_NAMES_ONLY : 0)) &&
	       await(s, pid, before, seconds);
	for (unsigned k = 0; k < PROFILE_KINDS; k++) {
		bool new = good &&atomic_load(&s->asking.written[k]) !=
			   written[k];

		(void)snprintf(ret->paths[k], sizeof(ret->paths[k]), "%.*s",
			(int)sizeof(s->asking.paths[k]) - 1,
			new ? s->asking.paths[k] : "");
	}
	(void)munmap((void *)(uintptr_t)s, sizeof(*s));
	return good;
}
