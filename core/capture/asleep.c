/*
 * asleep.c - see asleep.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "asleep.h"
#include "fmt.h"
#include "own_fd.h"
#include "sys.h"

/* Longer than any line of /proc/TID/syscall; enough of stat for the state. */
#define LINE 256u

/* The beginning of a file of the thread's, NUL-terminated. Bytes or -errno. */
static long read_file(uint32_t tid, const char *name, char line[LINE])
{
	char path[64];
	struct own_fd f;
	long n;

	(void)fmt(path, sizeof(path), "/proc/self/task/%u/%s", tid, name);
	n = own_fd_open(&f, path, O_RDONLY, 0);
	if (n)
		return n == -ENOENT ? -ESRCH : n;
	n = sys_pread(f.fd, line, LINE - 1, 0);
	(void)own_fd_close(&f);
	line[n > 0 ? n : 0] = '\0';
	return n > 0 ? n : n < 0 ? n : -ESRCH;
}

/* "4711 (any name) S 1 ...": the name may hold anything, 15 bytes of it. */
static char read_state(uint32_t tid)
{
	char line[LINE];
	long n = read_file(tid, "stat", line);
	long last = 0;

	for (long i = 0; i < n && i < 32; i++) {
		if (line[i] == ')')
			last = i;
	}
	return (char)(last && last + 2 < n ? line[last + 2] : '\0');
}

static const char *skip_blanks(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

static const char *read_hex(const char *s, uint64_t *ret)
{
	s = skip_blanks(s);
	if (s[0] != '0' || s[1] != 'x')
		return NULL;
	*ret = 0;
	for (s += 2;; s++) {
		if (*s >= '0' && *s <= '9')
			*ret = *ret << 4 | (uint64_t)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			*ret = *ret << 4 | (uint64_t)(*s - 'a' + 10);
		else
			return s;
	}
}

static const char *read_call(const char *s, int64_t *ret)
{
	bool none = *s == '-';

	if (*s != '-' && (*s < '0' || *s > '9'))
		return NULL; /* "running" */
	for (*ret = 0, s += none; *s >= '0' && *s <= '9'; s++)
		*ret = *ret * 10 + (*s - '0');
	if (none)
		*ret = ASLEEP_NO_CALL;
	return s;
}

/* "NUMBER 0xARG x 6 0xSP 0xPC", or "-1 0xSP 0xPC", or "running". */
static bool parse(const char *s, struct asleep *ret)
{
	s = read_call(s, &ret->call);
	for (unsigned i = 0; s && ret->call != ASLEEP_NO_CALL && i < 6; i++)
		s = read_hex(s, &ret->args[i]);
	if (s)
		s = read_hex(s, &ret->sp);
	return s && read_hex(s, &ret->pc);
}

static uint64_t clock_of(uint32_t tid)
{
	return sys_clock_ns(sys_thread_cpu_clock((int)tid));
}

int asleep_read(uint32_t tid, struct asleep *ret)
{
	char line[LINE];
	long n;

	*ret = (struct asleep){ .tid = tid, .clock_ns = clock_of(tid) };
	n = read_file(tid, "syscall", line);
	ret->state = read_state(tid);
	if (n < 0) /* the kernel may lack this file */
		return n == -ESRCH && ret->state ? -ENOSYS : (int)n;
	if (!parse(line, ret))
		return -EBUSY;
	return asleep_still(ret) ? 0 : -EBUSY;
}

bool asleep_still(const struct asleep *a)
{
	return clock_of(a->tid) == a->clock_ns;
}

unsigned asleep_unwind(struct session *s, const struct asleep *a,
	frame_t *frames, unsigned most, enum unwind_end *ret_end)
{
	unsigned n = unwind_from(s, a->pc, a->sp, frames, most, ret_end);

	return asleep_still(a) ? n : 0;
}
