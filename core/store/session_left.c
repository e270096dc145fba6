/*
 * session_left.c - session files that killed processes have left behind.
 *
 * They are what a profile can still be recovered from, so the newest few stay;
 * but in /dev/shm they are memory, and nobody else would give it back. A file
 * goes only if it is ours by name, owner and header, and if the header names a
 * process that is certainly gone. What a `pprofc run` that goes on is going to
 * recover (core/offline/recover_run.c) stays, however many there are.
 *
 * Context: PP_ANY; once in a process, when its session is made.
 */
#include "pp.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "directory.h"
#include "fmt.h"
#include "session_place.h"
#include "sys.h"

#define LOOKED_AT 64u /* names in the directory */
#define KEPT 8u

struct left { /* the parts of a name; pid 0 = none */
	uint32_t pid;
	uint64_t created;
};

/* How struct session begins. */
struct head {
	uint64_t magic;
	uint32_t version, header_bytes;
	uint32_t state, baton;
	struct session_identity identity;
};
_Static_assert(offsetof(struct head, state) == offsetof(struct session, state),
	"state");
_Static_assert(
	offsetof(struct head, identity) == offsetof(struct session, identity),
	"identity");

/* In a mapping: the host's stack may be a small one. */
struct sweep {
	const struct session *own;
	char path[SETTINGS_PATH_MAX + 64];
	char status[SETTINGS_PATH_MAX];
	size_t dir_len; /* of the path: what comes before the name */
	struct directory dir;
	struct left kept[KEPT]; /* newest first */
};

/* On a file system of several machines, the process may live on another. */
static bool is_local(const char *dir)
{
	static const uint32_t local[] = { TMPFS_MAGIC, EXT4_SUPER_MAGIC,
		XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC };
	struct statfs fs;

	if (sys_call2(SYS_statfs, dir, &fs) != 0)
		return false;
	for (unsigned i = 0; i < PP_ARRAY_LEN(local); i++) {
		if ((uint32_t)fs.f_type == local[i])
			return true;
	}
	return false;
}

/* --- names ---------------------------------------------------------------- */

static const char *skip(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix) {
		s++;
		prefix++;
	}
	return *prefix ? "" : s;
}

static const char *read_number(const char *s, unsigned base, uint64_t *ret)
{
	for (*ret = 0;; s++) {
		unsigned digit = *s >= '0' && *s <= '9'	  ? *s - '0' + 0u
				 : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10u
							  : base;

		if (digit >= base)
			return s;
		*ret = *ret * base + digit;
	}
}

static bool parse(const char *name, struct left *ret)
{
	char again[64];
	uint64_t pid;
	const char *s = read_number(skip(name, "pprofc."), 10, &pid);

	(void)read_number(skip(s, "."), 16, &ret->created);
	ret->pid = (uint32_t)pid;
	if (ret->pid == 0 || pid > INT32_MAX)
		return false;
	(void)fmt(again, sizeof(again), SESSION_NAME, ret->pid, ret->created);
	return str_eq(name, again);
}

static const char *path_of(struct sweep *w, const struct left *l)
{
	(void)fmt(w->path + w->dir_len, sizeof(w->path) - w->dir_len,
		SESSION_NAME, l->pid, l->created);
	return w->path;
}

static void remove_left(struct sweep *w, const struct left *l)
{
	(void)sys_unlink(path_of(w, l));
}

/* --- whose it is ---------------------------------------------------------- */

/* `pprofc run` is waiting for the end of the process, and will recover it. */
static bool is_awaited(struct sweep *w, const struct own_fd *f)
{
	struct stat st;

	if (sys_pread(f->fd, w->status, sizeof(w->status),
		    offsetof(struct session, settings.status_path)) !=
		(long)sizeof(w->status))
		return false;
	w->status[sizeof(w->status) - 1] = '\0';
	return w->status[0] && sys_stat(w->status, &st) == 0;
}

/* The file has an owner and a header like ours; also tells its last change. */
static bool read_identity(struct sweep *w, const struct left *l,
	struct session_identity *ret, int64_t *ret_changed_s)
{
	struct head head;
	struct own_fd f;
	struct stat st;
	bool good;

	if (own_fd_open(&f, path_of(w, l), O_RDONLY | O_NOFOLLOW, 0) != 0)
		return false;
	good = f.uid == (uint32_t)sys_call0(SYS_geteuid) &&
	       sys_fstat(f.fd, &st) == 0 &&
	       sys_pread(f.fd, &head, sizeof(head), 0) == (long)sizeof(head) &&
	       !is_awaited(w, &f);
	(void)own_fd_close(&f);
	/* One that is just being made is not ready. */
	if (!good || head.magic != SESSION_MAGIC ||
		head.version != SESSION_VERSION || head.state == SESSION_NEW)
		return false;
	*ret = head.identity;
	*ret_changed_s = st.st_mtime;
	return true;
}

static bool is_gone(const struct session_identity *id)
{
	char path[48];
	uint64_t ticks;

	(void)fmt(path, sizeof(path), "/proc/%u/stat", id->pid);
	ticks = session_start_ticks(path);
	if (ticks)
		return id->start_ticks && ticks != id->start_ticks;
	/* Perhaps /proc hides it. */
	return sys_call2(SYS_kill, id->pid, 0) == -ESRCH;
}

static bool is_set(const uint8_t *boot_id)
{
	static const uint8_t none[16];

	return memcmp(boot_id, none, sizeof(none)) != 0;
}

static int64_t boot_s(void)
{
	return (int64_t)((sys_clock_ns(CLOCK_REALTIME) -
				 sys_clock_ns(CLOCK_BOOTTIME)) /
			 1000000000u);
}

static void keep(struct sweep *w, struct left l)
{
	for (unsigned i = 0; i < KEPT; i++) {
		struct left other = w->kept[i];

		if (other.pid && other.created >= l.created)
			continue;
		w->kept[i] = l;
		l = other;
	}
	if (l.pid)
		remove_left(w, &l);
}

static void judge(struct sweep *w, const struct left *l)
{
	const struct session_identity *own = &w->own->identity;
	struct session_identity id;
	int64_t changed_s;

	if (!read_identity(w, l, &id, &changed_s) || !is_set(id.boot_id) ||
		id.pid != l->pid)
		return;
	if (memcmp(id.boot_id, own->boot_id, sizeof(id.boot_id)) != 0) {
		if (changed_s < boot_s())
			remove_left(w, l); /* of an earlier boot */
	} else if (own->pidns_inode && id.pidns_inode == own->pidns_inode &&
		   is_gone(&id)) {
		keep(w, *l);
	}
}

static void look(struct sweep *w)
{
	const char *name;
	struct left l;

	for (unsigned i = 0; i < LOOKED_AT; i++) {
		name = directory_next(&w->dir);
		if (!name)
			break;
		if (parse(name, &l))
			judge(w, &l);
	}
}

void session_remove_left(const struct session *own)
{
	struct sweep *w = sys_map_pages(sizeof(*w));

	if (!w)
		return;
	w->own = own;
	(void)str_copy(w->path, sizeof(w->path), own->file_path);
	for (size_t i = 0; w->path[i]; i++)
		w->dir_len = w->path[i] == '/' ? i + 1 : w->dir_len;
	w->path[w->dir_len] = '\0';
	if (w->dir_len && is_set(own->identity.boot_id) && is_local(w->path) &&
		directory_open(&w->dir, w->path) == 0) {
		look(w);
		directory_close(&w->dir);
	}
	(void)sys_munmap(w, sizeof(*w));
}
