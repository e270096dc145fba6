/*
 * perf_map.c - names of code made at run time, from /tmp/perf-PID.map, which
 * V8, the JVM, .NET, Python and others write: lines "START SIZE NAME", hex.
 *
 * The file lies in a directory anyone may write to: it must be a regular file
 * of this user (or root), and is not followed through a symbolic link. One that
 * was last written before this program was started is of another, which had the
 * same process id.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "fmt.h"
#include "own_fd.h"
#include "symbols.h"

#define MAP_BYTES_MAX (UINT64_C(256) << 20)
#define NAME_MAX_BYTES 4096u
#define COARSE_S 2 /* times of files, at the worst */

struct map_scan {
	struct symbols *y;
	struct symbol *wanted;
	uint32_t n;
	uint32_t budget; /* addresses visited; against overlapping lines */
};

static bool is_for(const struct own_fd *f, const struct session *s)
{
	int64_t start_s = (int64_t)(s->start_wall_ns / 1000000000u);

	return f->changed_s + COARSE_S >= start_s &&
	       (f->uid == 0 || f->uid == (uint32_t)sys_call0(SYS_geteuid));
}

static int open_map(struct own_fd *f, const struct session *s)
{
	char path[64];
	int err;

	(void)fmt(path, sizeof(path), "/tmp/perf-%u.map", s->identity.pid);
	err = own_fd_open(f, path, O_RDONLY | O_NOFOLLOW, 0);
	if (err || is_for(f, s))
		return err;
	(void)own_fd_close(f);
	return -EPERM;
}

static const char *parse_hex(const char *p, const char *end, uint64_t *ret)
{
	uint64_t v = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] | 32) == 'x')
		p += 2;
	for (; p < end; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (digit > 9)
			digit = (unsigned)((*p | 32) - 'a') + 10;
		if (digit > 15 || (*p > '9' && (*p | 32) < 'a'))
			break;
		v = v << 4 | digit;
	}
	*ret = v;
	return p;
}

static uint32_t first_from(const struct map_scan *c, uint64_t address)
{
	uint32_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (symbol_address(&c->wanted[mid]) < address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Code memory is reused: the last line about an address is the valid one. */
static void take_line(struct map_scan *c, const char *p, const char *end)
{
	uint64_t start, size;
	char *name = NULL;
	uint32_t len;

	p = parse_hex(p, end, &start);
	if (p == end || *p != ' ')
		return;
	p = parse_hex(p + 1, end, &size);
	if (p == end || *p != ' ' || ++p == end)
		return;
	len = (uint32_t)PP_MIN((size_t)(end - p), (size_t)NAME_MAX_BYTES);
	for (uint32_t i = first_from(c, start); i < c->n && c->budget; i++) {
		if (symbol_address(&c->wanted[i]) - start >= size)
			return;
		c->budget--;
		if (!name)
			name = arena_alloc(c->y->arena, len);
		if (!name)
			return;
		memcpy(name, p, len);
		c->wanted[i].name = name;
		c->wanted[i].name_len = len;
	}
}

/* Take every whole line of block[0, n); returns the bytes consumed. */
static size_t take_lines(struct map_scan *c, const char *block, size_t n)
{
	size_t line = 0;

	for (size_t i = 0; i < n; i++) {
		if (block[i] != '\n')
			continue;
		take_line(c, block + line, block + i);
		line = i + 1;
	}
	return line;
}

static void scan_map(struct map_scan *c, const struct own_fd *f)
{
	char *block = (char *)c->y->block;
	uint64_t off = 0;

	while (off < MAP_BYTES_MAX && c->budget) {
		long n = sys_pread(f->fd, block, SYMBOLS_BLOCK, off);
		size_t used;

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return;
		used = take_lines(c, block, (size_t)n);
		/* No end of line in a whole block: not worth keeping. */
		off += used ? used : (size_t)n;
	}
}

enum symbols_result symbols_find_jit(
	struct symbols *y, struct symbol *wanted, uint32_t n)
{
	struct map_scan c = { y, wanted, n, 1u << 22 };
	struct own_fd f;

	if (!y->own_process || open_map(&f, y->session) != 0)
		return SYMBOLS_MISSING;
	scan_map(&c, &f);
	(void)own_fd_close(&f);
	return SYMBOLS_READ;
}
