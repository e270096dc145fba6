/*
 * lines.c - see lines.h.
 */
#include "pp.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lines.h"
#include "say.h"
#include "symbolizer.h"

#define FILES_AT_ONCE 32u /* for one helper */
#define HELPERS_MAX 16u
#define SILENT_MS 700u
#define LONGEST_MS (10u * 60 * 1000)

struct work {
	char helper[PATH_MAX];
	char *const *files;
	unsigned count, begun, finished;
	pid_t running[HELPERS_MAX];
	unsigned of_running[HELPERS_MAX]; /* how many files each has */
	unsigned running_count, failed;
	bool stopped;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* With the signals and the environment that other programs have: ours are
 * blocked, and the library is not for the helper. In a group of its own: the
 * terminal's signals are for us. */
static int spawn(const char *path, char **argv, pid_t *ret)
{
	static char path_entry[] = "PATH=/usr/bin:/bin", locale[] = "LC_ALL=C";
	static char dormant[] = "PPROFC_PROFILES=none";
	char *const environment[] = { path_entry, locale, dormant, NULL };
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err = posix_spawnattr_init(&attr);

	if (err)
		return err;
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	err = posix_spawn(ret, path, NULL, &attr, argv, environment);
	(void)posix_spawnattr_destroy(&attr);
	return err;
}

static void start_one(struct work *w)
{
	static char quiet[] = "--quiet";
	char *argv[FILES_AT_ONCE + 3] = { w->helper, quiet };
	unsigned n = PP_MIN(w->count - w->begun, FILES_AT_ONCE);
	int err;

	memcpy(argv + 2, w->files + w->begun, n * sizeof(*argv));
	w->begun += n;
	err = spawn(w->helper, argv, &w->running[w->running_count]);
	if (err) {
		w->failed++;
		w->finished += n;
		return;
	}
	w->of_running[w->running_count++] = n;
}

static void take_ended(struct work *w)
{
	for (unsigned i = 0; i < w->running_count;) {
		int status = 0;
		pid_t got = waitpid(w->running[i], &status, WNOHANG);

		if (got == 0 || (got < 0 && errno == EINTR)) {
			i++;
			continue;
		}
		w->failed += got < 0 || status != 0;
		w->finished += w->of_running[i];
		w->running_count--;
		w->running[i] = w->running[w->running_count];
		w->of_running[i] = w->of_running[w->running_count];
	}
}

static void stop(struct work *w)
{
	for (unsigned i = 0; i < w->running_count; i++) {
		(void)kill(w->running[i], SIGTERM);
		(void)waitpid(w->running[i], NULL, 0);
	}
	w->running_count = 0;
	w->stopped = true;
}

/* On a terminal a line that is written over. */
static void show_progress(const struct work *w, bool ended)
{
	if (ended)
		(void)fprintf(stderr, "\r\033[K");
	else
		(void)fprintf(stderr,
			"\rpprofc: adding source lines: %u of %u profiles "
			"(^C leaves the rest as it is)",
			w->finished, w->count);
	(void)fflush(stderr);
}

/* Until a helper ends, a tenth of a second, or a signal: false. */
static bool wait_a_moment(void)
{
	static const int taken[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP,
		SIGQUIT };
	const struct timespec limit = { 0, 100000000 };
	sigset_t set;
	int sig;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < PP_ARRAY_LEN(taken); i++)
		(void)sigaddset(&set, taken[i]);
	sig = sigtimedwait(&set, NULL, &limit);
	return sig < 0 || sig == SIGCHLD;
}

static void do_all(struct work *w, bool show)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned most = (unsigned)PP_MIN(
		PP_MAX(processors, 1), (long)HELPERS_MAX);
	uint64_t begin = now_ms();
	bool shown = false;

	while (w->finished < w->count) {
		while (w->begun < w->count && w->running_count < most)
			start_one(w);
		take_ended(w);
		if (w->finished == w->count)
			break;
		if (show && now_ms() - begin > SILENT_MS) {
			show_progress(w, false);
			shown = true;
		}
		if (!wait_a_moment() || now_ms() - begin > LONGEST_MS) {
			stop(w);
			break;
		}
	}
	if (shown)
		show_progress(w, true);
}

void lines_add(char *const *files, unsigned count, bool quiet)
{
	static struct work w;

	w = (struct work){ .files = files, .count = count };
	if (!count)
		return;
	if (!symbolizer_find(w.helper)) {
		if (!quiet)
			say("no source lines: pprofc-symbolize is not "
			    "installed");
		return;
	}
	do_all(&w, !quiet && isatty(STDERR_FILENO));
	if (quiet)
		return;
	if (w.stopped)
		say("source lines are missing in %u of %u profiles",
			w.count - w.finished, w.count);
	else if (w.failed)
		say("source lines are missing in some profiles; "
		    "`pprofc symbolize FILE` says why");
}
