/*
 * program.c - see program.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "fmt.h"
#include "program.h"
#include "settings.h"
#include "sys.h"

static PP_BIG char path[SETTINGS_PATH_MAX];

/* The kernel marks the path of a program whose file is gone. */
static void cut_deleted(char *name, size_t len)
{
	static const char mark[] = " (deleted)";
	size_t n = sizeof(mark) - 1;

	if (len > n && __builtin_memcmp(name + len - n, mark, n) == 0)
		name[len - n] = '\0';
}

size_t program_read_link(const char *link, char *buf, size_t size)
{
	long n = sys_readlink(link, buf, size);

	if (n <= 0 || (size_t)n >= size)
		return 0;
	buf[n] = '\0';
	cut_deleted(buf, (size_t)n);
	return str_len(buf);
}

void program_look(void)
{
	if (!path[0] &&
		!program_read_link("/proc/thread-self/exe", path, sizeof(path)))
		path[0] = '\0';
}

const char *program_path(void)
{
	return path;
}

const char *program_name(void)
{
	const char *name = path[0] ? path : program_invocation_short_name;

	for (const char *s = name; *s; s++)
		if (*s == '/' && s[1])
			name = s + 1;
	return *name ? name : "unknown";
}
