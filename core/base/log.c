/*
 * log.c - see log.h. Context: PP_ANY.
 */
#include "pp.h"

#include "fmt.h"
#include "log.h"
#include "own_fd.h"
#include "quiet_write.h"
#include "settings.h"
#include "sys.h"

const char *const wait_class_names[WAIT_CLASSES] = {
	[WAIT_MUTEX] = "mutex",
	[WAIT_RWLOCK] = "rwlock",
	[WAIT_COND] = "cond",
	[WAIT_SEM] = "sem",
	[WAIT_BARRIER] = "barrier",
	[WAIT_JOIN] = "join",
	[WAIT_ONCE] = "once",
	[WAIT_SLEEP] = "sleep",
	[WAIT_POLL] = "poll",
	[WAIT_IO] = "io",
};

const char *const profile_kind_names[PROFILE_KINDS] = {
	[PROFILE_CPU] = "cpu",
	[PROFILE_HEAP] = "heap",
	[PROFILE_ALLOCS] = "allocs",
	[PROFILE_HEAP_PEAK] = "heap_peak",
	[PROFILE_MUTEX] = "mutex",
	[PROFILE_BLOCK] = "block",
	[PROFILE_GOROUTINE] = "goroutine",
	[PROFILE_THREADCREATE] = "threadcreate",
};

static const struct settings *places;

/* The standard error the process was started with: the host may put another
 * file in its place, which is not where our lines were asked for. */
static struct own_fd stderr_at_start;

void log_open(const struct settings *settings)
{
	struct stat st;

	own_fd_none(&stderr_at_start);
	if (settings->log_place == LOG_STDERR && sys_fstat(2, &st) == 0)
		stderr_at_start = (struct own_fd){
			.fd = 2, .dev = st.st_dev, .ino = st.st_ino
		};
	places = settings;
}

/* `flags`: O_CREAT, or O_NOFOLLOW. */
static void append(const char *path, int flags, const char *line, size_t len)
{
	struct own_fd f;

	flags |= O_WRONLY | O_APPEND;
	if (own_fd_open_any(&f, path, flags, 0666) != 0)
		return;
	if (!own_fd_has_name(&f, path, flags)) {
		own_fd_none(&f);
		return;
	}
	/* There is nowhere to report a failing log. */
	if ((!S_ISREG(f.mode) || f.size + len <= quiet_write_room()) &&
		own_fd_is_ours(&f))
		(void)quiet_write(f.fd, line, len);
	(void)own_fd_close(&f);
}

/* `pprofc run` has made it, and removes it at its end with its directory. What
 * then stands there in /tmp may be anybody's. */
static void append_status(const char *line, size_t len)
{
	append(places->status_path, O_NOFOLLOW, line, len);
}

#define LOG_LINE_MAX (SETTINGS_PATH_MAX + 256) /* a path and a sentence */

/* Its length, with the newline. */
static size_t make_line(char line[LOG_LINE_MAX], const char *format, va_list ap)
{
	size_t len = fmt(line, LOG_LINE_MAX, "pprofc[%d]: ", sys_getpid());

	len += fmt_v(line + len, LOG_LINE_MAX - len - 1, format, ap);
	len = PP_MIN(len, (size_t)LOG_LINE_MAX - 2);
	line[len++] = '\n';
	return len;
}

void log_status(const char *format, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;

	if (!places || !*places->status_path)
		return;
	va_start(ap, format);
	append_status(line, make_line(line, format, ap));
	va_end(ap);
}

void log_line(const char *format, ...)
{
	char line[LOG_LINE_MAX];
	size_t len;
	va_list ap;

	if (!places || (places->log_place == LOG_NONE && !*places->status_path))
		return;
	va_start(ap, format);
	len = make_line(line, format, ap);
	va_end(ap);
	if (places->log_place == LOG_STDERR && own_fd_is_ours(&stderr_at_start))
		(void)quiet_write(2, line, len);
	else if (places->log_place == LOG_FILE)
		append(places->log_path, O_CREAT, line, len);
	if (*places->status_path)
		append_status(line, len);
}
