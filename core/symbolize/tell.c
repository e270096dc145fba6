/*
 * tell.c - see tell.h.
 */
#include "pp.h"

#include <stdarg.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tell.h"

#define FIRST_PROGRESS_MS 1000
#define NEXT_PROGRESS_MS 200

static bool quiet;
static bool progress_shown;
static char current[PATH_MAX]; /* file that is being read */

void tell_set_quiet(void)
{
	quiet = true;
}

static void put_line(const char *before, char *line, const char *after)
{
	for (char *s = line; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	}
	(void)fprintf(stderr, "%spprofc symbolize: %s%s", before, line, after);
	(void)fflush(stderr);
}

void tell(const char *format, ...)
{
	char line[4096];
	va_list ap;

	if (quiet)
		return;
	tell_progress_end();
	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	put_line("", line, "\n");
}

static int64_t now_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

void tell_progress(const char *what, size_t done, size_t all)
{
	static int64_t next_ms;
	static int on_terminal = -1;
	int64_t now;
	char line[160];

	if (on_terminal < 0)
		on_terminal = isatty(STDERR_FILENO);
	if (quiet || !on_terminal)
		return;
	now = now_ms();
	if (!next_ms)
		next_ms = now + FIRST_PROGRESS_MS;
	if (now < next_ms)
		return;
	next_ms = now + NEXT_PROGRESS_MS;
	(void)snprintf(line, sizeof(line), "%.80s: %zu of %zu addresses", what,
		done, all);
	put_line("\r\033[K", line, "");
	progress_shown = true;
}

void tell_progress_end(void)
{
	if (progress_shown)
		(void)fputs("\r\033[K", stderr);
	progress_shown = false;
}

void tell_file(const char *path)
{
	(void)snprintf(current, sizeof(current), "%s", path);
}

static void put(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

void tell_crash(int sig)
{
	const char number[3] = { (char)('0' + sig / 10 % 10),
		(char)('0' + sig % 10) };

	if (quiet)
		return;
	put("pprofc symbolize: ended by signal ");
	put(number);
	put(current[0] ? " while reading " : "");
	put(current);
	put("\n");
}
