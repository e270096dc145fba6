/*
 * log.c - see log.h. Context: PP_ANY.
 */
#include "pp.h"

#include "fmt.h"
#include "log.h"
#include "settings.h"
#include "sys.h"

const char *const profile_kind_names[PROFILE_KINDS] = {
	[PROFILE_CPU] = "cpu",
	[PROFILE_HEAP] = "heap",
	[PROFILE_ALLOCS] = "allocs",
	[PROFILE_HEAP_PEAK] = "heap_peak",
};

static const struct settings *places;

void log_open(const struct settings *settings)
{
	places = settings;
}

static void append(const char *path, const char *line, size_t len)
{
	int fd = sys_open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0666);

	if (fd < 0)
		return;
	(void)sys_write(fd, line, len); /* nowhere to report a failing log */
	(void)sys_close(fd);
}

void log_line(const char *format, ...)
{
	char line[SETTINGS_PATH_MAX + 256]; /* a path and a sentence */
	size_t len;
	va_list ap;

	if (!places || (places->log_place == LOG_NONE && !*places->status_path))
		return;
	len = fmt(line, sizeof(line), "pprofc[%d]: ", sys_getpid());
	va_start(ap, format);
	len += fmt_v(line + len, sizeof(line) - len - 1, format, ap);
	va_end(ap);
	len = PP_MIN(len, sizeof(line) - 2);
	line[len++] = '\n';
	if (places->log_place == LOG_STDERR)
		(void)sys_write(2, line, len);
	else if (places->log_place == LOG_FILE)
		append(places->log_path, line, len);
	if (*places->status_path)
		append(places->status_path, line, len);
}
