/*
 * symbolizer_find.c - see symbolizer_find.h. Context: PP_ANY.
 *
 * Nothing is looked for before a profile is there. What the kernel says about
 * our own file is asked once (a program may have thousands of mappings); the
 * rest each time: a helper may be installed meanwhile, or a root be changed.
 */
#include "pp.h"

#include <sys/sysmacros.h>

#include "fmt.h"
#include "own_fd.h"
#include "process.h"
#include "symbolizer_find.h"
#include "sys.h"

#define HELPER "pprofc-symbolize"
#define LINE_MAX_BYTES (SETTINGS_PATH_MAX + 128)

/* The file this library was mapped from. */
static PP_BIG struct {
	bool known;
	uint64_t device, inode;
	char path[SETTINGS_PATH_MAX]; /* "" = could not be found out */
	size_t directory;	      /* the part of it with its slash */
} library;

static PP_BIG char helper[SETTINGS_PATH_MAX + 64];

/* --- /proc/self/maps ------------------------------------------------------ */

static const char *read_hex(const char *s, uint64_t *ret)
{
	uint64_t n = 0;

	for (;; s++) {
		if (*s >= '0' && *s <= '9')
			n = n << 4 | (uint64_t)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			n = n << 4 | (uint64_t)(*s - 'a' + 10);
		else
			break;
	}
	*ret = n;
	return s;
}

static uint64_t read_decimal(const char *s)
{
	uint64_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	return n;
}

static const char *next_word(const char *s)
{
	while (*s && *s != ' ')
		s++;
	while (*s == ' ')
		s++;
	return s;
}

/* "LO-HI PERMISSIONS OFFSET MAJOR:MINOR INODE PATH". True when it is ours. */
static bool take_line(const char *line)
{
	uint64_t lo, hi, major_id, minor_id;
	const char *s = read_hex(line, &lo);

	if (*s != '-')
		return false;
	s = read_hex(s + 1, &hi);
	if (process.text_lo < lo || process.text_lo >= hi)
		return false;
	s = next_word(next_word(next_word(s)));
	s = read_hex(s, &major_id);
	if (*s != ':')
		return true;
	(void)read_hex(s + 1, &minor_id);
	s = next_word(s);
	library.device = makedev((unsigned)major_id, (unsigned)minor_id);
	library.inode = read_decimal(s);
	s = next_word(s);
	if (*s != '/' || !str_copy(library.path, sizeof(library.path), s))
		library.path[0] = '\0';
	return true;
}

/* Takes the complete lines in buf[0..len); returns how much is left over at
 * the end, or -1 when ours was there. A line too long is dropped. */
static long take_lines(char *buf, size_t len, size_t size)
{
	size_t start = 0;

	for (size_t i = 0; i < len; i++) {
		if (buf[i] != '\n')
			continue;
		buf[i] = '\0';
		if (take_line(buf + start))
			return -1;
		start = i + 1;
	}
	if (start == 0 && len == size)
		return 0;
	__builtin_memmove(buf, buf + start, len - start);
	return (long)(len - start);
}

static void look_for_library(void)
{
	static PP_BIG char buf[LINE_MAX_BYTES + PP_PAGE];
	struct own_fd f;
	long left = 0, n;

	if (own_fd_open(&f, "/proc/thread-self/maps", O_RDONLY, 0) != 0)
		return;
	while (left >= 0 && own_fd_is_ours(&f)) {
		n = sys_read(f.fd, buf + left, sizeof(buf) - (size_t)left);
		if (n <= 0)
			break;
		left = take_lines(buf, (size_t)(left + n), sizeof(buf));
	}
	(void)own_fd_close(&f);
}

static void know_library(void)
{
	if (library.known)
		return;
	library.known = true;
	look_for_library();
	for (size_t i = 0; library.path[i]; i++) {
		if (library.path[i] == '/')
			library.directory = i + 1;
	}
}

/* --- the helper ----------------------------------------------------------- */

static bool is_library_in_place(void)
{
	struct stat st;

	return library.path[0] && sys_stat(library.path, &st) == 0 &&
	       st.st_dev == library.device && st.st_ino == library.inode;
}

static bool is_trusted(const struct stat *st)
{
	if (st->st_mode & S_IWOTH)
		return false;
	return st->st_uid == 0 || st->st_uid == (uid_t)sys_call0(SYS_geteuid) ||
	       is_library_in_place();
}

/* The first `length` bytes of the library's path, and then that. */
static enum symbolizer_found try_path(size_t length, const char *rest)
{
	struct stat st;

	__builtin_memcpy(helper, library.path, length);
	if (!str_copy(helper + length, sizeof(helper) - length, rest) ||
		sys_stat(helper, &st) != 0 || !S_ISREG(st.st_mode) ||
		sys_call3(SYS_faccessat, AT_FDCWD, helper, 1 /* X_OK */) != 0)
		return SYMBOLIZER_NOWHERE;
	return is_trusted(&st) ? SYMBOLIZER_FOUND : SYMBOLIZER_FOREIGN;
}

enum symbolizer_found symbolizer_find(const char **ret_path)
{
	enum symbolizer_found found = SYMBOLIZER_NOWHERE;

	*ret_path = helper;
	know_library();
	if (library.directory) {
		found = try_path(library.directory, HELPER);
		if (found == SYMBOLIZER_NOWHERE)
			found = try_path(
				library.directory, "../libexec/pprofc/" HELPER);
	}
	if (found == SYMBOLIZER_NOWHERE)
		found = try_path(0, PPROFC_LIBEXECDIR "/" HELPER);
	return found;
}
