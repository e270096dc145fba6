/*
 * ask_whom.c - see ask_whom.h.
 */
#include "pp.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ask_whom.h"

/* --- /proc/PID/status ----------------------------------------------------- */

struct status {
	char state;
	pid_t inside; /* in the innermost PID namespace */
	unsigned long long blocked, caught;
};

static void read_line(const char *line, struct status *to)
{
	const char *last = strrchr(line, '\t');

	if (sscanf(line, "State: %c", &to->state) == 1 ||
		sscanf(line, "SigBlk: %llx", &to->blocked) == 1 ||
		sscanf(line, "SigCgt: %llx", &to->caught) == 1)
		return;
	if (strncmp(line, "NSpid:", 6) == 0 && last)
		to->inside = (pid_t)strtol(last + 1, NULL, 10);
}

static bool read_status(pid_t pid, pid_t tid, struct status *ret)
{
	char line[512], path[64];
	FILE *f;

	*ret = (struct status){ .inside = pid };
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid,
		(int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		read_line(line, ret);
	if (f)
		(void)fclose(f);
	return f && ret->state && ret->state != 'Z' && ret->state != 'X';
}

pid_t whom_pid_inside(pid_t pid)
{
	struct status status;

	/* The main thread may have ended before the others. */
	(void)read_status(pid, pid, &status);
	return status.state && status.state != 'X' ? status.inside : 0;
}

/* --- the best ------------------------------------------------------------- */

/* A read of a socket may have a time limit, which ends it with EINTR. */
static bool is_pipe_or_terminal(pid_t pid, unsigned long long fd)
{
	char path[64], link[16] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)pid, fd);
	return readlink(path, link, sizeof(link) - 1) > 0 &&
	       (strncmp(link, "pipe:", 5) == 0 ||
		       strncmp(link, "/dev/pts/", 9) == 0);
}

enum { UNFIT = -1, INTERRUPTED, REPEATED, RUNNING, RESTARTED, BEST };

/* Those that the library makes again, as long as they come by way of libc. */
static bool is_repeated(int call)
{
	static const short calls[] = {
		SYS_futex,
		SYS_nanosleep,
		SYS_clock_nanosleep,
		SYS_restart_syscall,
		SYS_ppoll,
		SYS_pselect6,
		SYS_epoll_pwait,
		SYS_rt_sigsuspend,
		SYS_rt_sigtimedwait,
#ifdef SYS_poll /* newer machines lack the older calls */
		SYS_poll,
		SYS_select,
		SYS_epoll_wait,
		SYS_pause,
#endif
	};

	for (size_t i = 0; i < PP_ARRAY_LEN(calls); i++) {
		if (calls[i] == call)
			return true;
	}
	return false;
}

/* How little a thread minds a handler with SA_RESTART. */
static int fitness_of_call(pid_t pid, pid_t tid)
{
	char path[64], line[256] = "";
	unsigned long long args[4] = { 0 };
	int call = -2, n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid,
		(int)tid);
	f = fopen(path, "re");
	if (!f)
		return INTERRUPTED;
	(void)fgets(line, sizeof(line), f);
	(void)fclose(f);
	n = sscanf(line, "%d %llx %llx %llx %llx", &call, &args[0], &args[1],
		&args[2], &args[3]);
	if (n < 1)
		return strncmp(line, "running", 7) == 0 ? RUNNING : INTERRUPTED;
	if (call == SYS_futex && args[3] == 0)
		return BEST; /* no time limit: begins again */
	if (call == SYS_read && is_pipe_or_terminal(pid, args[0]))
		return RESTARTED;
	if (call == SYS_wait4 || call == SYS_waitid)
		return RESTARTED;
	return is_repeated(call) ? REPEATED : INTERRUPTED;
}

static int fitness(pid_t pid, pid_t tid, int sig)
{
	unsigned long long bit = 1ull << (sig - 1);
	struct status status;

	if (!read_status(pid, tid, &status) || (status.blocked & bit) ||
		!(status.caught & bit))
		return UNFIT;
	return fitness_of_call(pid, tid);
}

pid_t whom_to_signal(pid_t pid, int sig)
{
	char path[64];
	struct dirent *e;
	pid_t best = 0;
	int best_of = UNFIT;
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && best_of < BEST && (e = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		int of = tid > 0 ? fitness(pid, tid, sig) : UNFIT;

		if (of > best_of) {
			best = tid;
			best_of = of;
		}
	}
	if (tasks)
		(void)closedir(tasks);
	return best;
}
