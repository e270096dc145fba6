/*
 * find.c - see find.h.
 */
#include "pp.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "debuginfod.h"
#include "find.h"

#define SYSTEM_DEBUG "/usr/lib/debug"

/* One search: the first object that fits ends it. */
struct search {
	const struct find_where *where;
	struct build_id id;  /* len 0: nothing to compare with */
	int64_t until_ns;    /* then: not changed after this; 0 = whenever */
	const uint32_t *crc; /* or the whole file has this checksum */
	bool with_debug;     /* has to have .debug_info */
	bool seen_other;     /* a file of another build was there */
	struct object *ret;
};

static uint32_t checksum(const struct object *o)
{
	size_t len = 0;
	const char *bytes = elf_rawfile(o->elf, &len);

	return (uint32_t)crc32_z(0, (const Bytef *)bytes, len);
}

static bool is_wanted(const struct search *s, const struct object *o)
{
	if (s->id.len)
		return build_id_equal(&s->id, &o->id);
	if (s->crc)
		return checksum(o) == *s->crc;
	return !s->until_ns || o->modified_ns <= s->until_ns;
}

static bool has_debug(const struct object *o)
{
	return object_has_section(o, ".debug_info") ||
	       object_has_section(o, ".zdebug_info");
}

static bool fits(struct search *s, const struct object *o)
{
	bool wanted = is_wanted(s, o);

	s->seen_other |= !wanted;
	return wanted && (!s->with_debug || has_debug(o));
}

/* Try DIR + PATH. */
static bool try(struct search *s, const char *dir, const char *path)
{
	char joined[PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s%s", dir, path);
	struct object o;

	if (n < 0 || (size_t)n >= sizeof(joined) || object_open(joined, &o))
		return false;
	if (!fits(s, &o)) {
		object_close(&o);
		return false;
	}
	*s->ret = o;
	return true;
}

static int result(const struct search *s, bool found)
{
	if (found)
		return 0;
	return s->seen_other ? -ESTALE : -ENOENT;
}

/* --- the file itself ------------------------------------------------------ */

/* The mapped file as the kernel has it, even if it has no name any more.
 * What lies at this place in a process that got the same number later is told
 * apart by the build id; without one it is not looked at. */
static bool try_map_files(struct search *s, const struct find_what *what)
{
	char path[64], line[PATH_MAX + 128];
	uint64_t start, limit;
	bool found = false;
	FILE *maps;

	if (!what->id.len)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", s->where->pid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (!found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &limit) != 2 ||
			limit <= what->start || start >= what->limit)
			continue;
		(void)snprintf(path, sizeof(path),
			"/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
			s->where->pid, start, limit);
		found = try(s, path, "");
	}
	(void)fclose(maps);
	return found;
}

static bool try_process(struct search *s, const struct find_what *what)
{
	char dir[64];

	if (!s->where->pid)
		return false;
	(void)snprintf(dir, sizeof(dir), "/proc/%d/root", s->where->pid);
	if (try(s, dir, what->path) || try_map_files(s, what))
		return true;
	(void)snprintf(dir, sizeof(dir), "/proc/%d/exe", s->where->pid);
	return what->id.len && try(s, dir, "");
}

int find_main(const struct find_where *where, const struct find_what *what,
	struct object *ret)
{
	struct search s = { .where = where,
		.id = what->id,
		.until_ns = what->until_ns,
		.ret = ret };

	if (where->sysroot && try(&s, where->sysroot, what->path))
		return 0;
	return result(&s, try_process(&s, what) || try(&s, "", what->path));
}

/* --- its debug information ------------------------------------------------ */

static bool try_build_id(struct search *s, const char *dir)
{
	char joined[PATH_MAX], path[2 * BUILD_ID_MAX + 16];
	int n = snprintf(joined, sizeof(joined), "%s/.build-id", dir);

	if (s->id.len < 2 || n < 0 || (size_t)n >= sizeof(joined))
		return false;
	build_id_path(&s->id, path);
	return try(s, joined, path);
}

/* DIR/PATH's directory/LINK, and DIR/LINK. */
static bool try_link(
	struct search *s, const char *dir, const char *path, const char *link)
{
	const char *slash = strrchr(path, '/');
	char joined[PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s%.*s/%s", dir,
		slash ? (int)(slash - path) : 0, path, link);

	return n > 0 && (size_t)n < sizeof(joined) && try(s, "", joined);
}

/* One directory of debug files, arranged as /usr/lib/debug or flat. */
static bool try_debug_dir(
	struct search *s, const char *dir, const char *path, const char *link)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	char name[PATH_MAX];
	int n = snprintf(name, sizeof(name), "/%s.debug", base);

	if (try_build_id(s, dir))
		return true;
	if (*link &&
		(try_link(s, dir, path, link) || try_link(s, dir, "", link)))
		return true;
	/* Without an id or a link a name alone is no proof. */
	if (!s->id.len || n < 0 || (size_t)n >= sizeof(name))
		return false;
	return try(s, dir, name) || try_link(s, dir, path, name + 1) ||
	       try_link(s, dir, "", base);
}

static bool try_all_debug_dirs(
	struct search *s, const char *path, const char *link)
{
	const struct find_where *w = s->where;
	char dir[PATH_MAX];

	for (size_t i = 0; i < w->debug_dir_count; i++) {
		if (try_debug_dir(s, w->debug_dirs[i], path, link))
			return true;
	}
	if (w->sysroot &&
		snprintf(dir, sizeof(dir), "%s" SYSTEM_DEBUG, w->sysroot) <
			(int)sizeof(dir) &&
		try_debug_dir(s, dir, path, link))
		return true;
	(void)snprintf(dir, sizeof(dir), "/proc/%d/root" SYSTEM_DEBUG, w->pid);
	if (w->pid && try_debug_dir(s, dir, path, link))
		return true;
	return try_debug_dir(s, SYSTEM_DEBUG, path, link);
}

/* Beside the file, as gdb looks there. */
static bool try_beside(struct search *s, const char *path, const char *link)
{
	char sub[PATH_MAX];
	int n = snprintf(sub, sizeof(sub), ".debug/%s", link);

	if (!*link || n < 0 || (size_t)n >= sizeof(sub))
		return false;
	return try_link(s, "", path, link) || try_link(s, "", path, sub);
}

static bool try_debuginfod(struct search *s)
{
	char path[PATH_MAX];

	return s->where->debuginfod && s->id.len &&
	       debuginfod_get(&s->id, s->where->debuginfod_timeout_s, path) &&
	       try(s, "", path);
}

static const char *link_of(const struct object *main, uint32_t *ret_crc)
{
	const char *link = NULL;

	if (main->elf)
		link = dwelf_elf_gnu_debuglink(main->elf, ret_crc);
	/* A name only: what has a slash would lead elsewhere. */
	return link && !strchr(link, '/') ? link : "";
}

int find_debug(const struct find_where *where, const struct find_what *what,
	const struct object *main, struct object *ret)
{
	struct search s = { .where = where,
		.id = main->elf ? main->id : what->id,
		.with_debug = true,
		.ret = ret };
	uint32_t crc = 0;
	const char *link = link_of(main, &crc);

	if (main->elf && has_debug(main))
		return object_open(main->path, ret);
	if (!s.id.len && !*link)
		return -ENOENT;
	s.crc = &crc;
	return result(&s, try_all_debug_dirs(&s, what->path, link) ||
				  try_beside(&s, what->path, link) ||
				  try_debuginfod(&s));
}

int find_alternate(const struct find_where *where, const char *beside,
	const char *name, const struct build_id *id, struct object *ret)
{
	struct search s = {
		.where = where, .id = *id, .with_debug = true, .ret = ret
	};

	if (*name == '/' &&
		((where->sysroot && try(&s, where->sysroot, name)) ||
			try(&s, "", name)))
		return 0;
	if (*name != '/' && try_link(&s, "", beside, name))
		return 0;
	return result(
		&s, try_all_debug_dirs(&s, name, "") || try_debuginfod(&s));
}
