/*
 * session_place.c - see session_place.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "fmt.h"
#include "log.h"
#include "own_fd.h"
#include "program.h"
#include "session_place.h"
#include "sys.h"

#define SMALLEST_CAP (1024u * 1024)
#define BCACHEFS_MAGIC 0xca451a4eu
#define SHM_ROOM (8u * 1024 * 1024) /* less free than this: not there */

static uint64_t limit_of(int resource)
{
	struct rlimit64 lim = { RLIM64_INFINITY, RLIM64_INFINITY };

	(void)sys_call4(SYS_prlimit64, 0, resource, NULL, &lim);
	return lim.rlim_cur;
}

/* The cap asked for, lowered so that the host keeps its address space: a
 * sixteenth of RLIMIT_AS at most. */
static uint64_t wanted_cap(const struct settings *settings)
{
	uint64_t cap = settings->memory_bytes;
	uint64_t as = limit_of(RLIMIT_AS);

	if (as != RLIM64_INFINITY)
		cap = PP_MIN(cap, as / 16);
	return PP_MAX(pp_round_up(cap, PP_PAGE), SMALLEST_CAP);
}

/* Address space without pages: under mlockall(MCL_FUTURE) a plain mapping
 * would be populated whole, so it is made inaccessible, unlocked, then opened.
 */
static void *map_space(uint64_t *cap, int flags, int fd)
{
	for (; *cap >= SMALLEST_CAP; *cap /= 2) {
		void *p = sys_mmap(
			*cap, PROT_NONE, flags | MAP_NORESERVE, fd, NULL);

		if (!p)
			continue;
		(void)sys_call2(SYS_munlock, p, *cap);
		if (sys_mprotect(p, *cap, PROT_READ | PROT_WRITE) == 0)
			return p;
		(void)sys_munmap(p, *cap);
	}
	return NULL;
}

static int create_file(
	const char *dir, struct own_fd *f, char *path, size_t size)
{
	uint64_t ticks = sys_clock_ns(CLOCK_BOOTTIME);
	uint32_t pid = (uint32_t)sys_getpid();
	int err = -EEXIST;

	own_fd_none(f);
	for (int i = 0; i < 16 && err == -EEXIST; i++) {
		if (fmt(path, size, "%s/" SESSION_NAME, dir, pid,
			    ticks + (uint64_t)i) >= size)
			err = -ENAMETOOLONG;
		else
			err = own_fd_open(f, path,
				O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	}
	if (err && err != -EBADF)
		path[0] = '\0'; /* not ours, should it exist */
	return err;
}

/*
 * Another thread of the host may be closing all descriptors it finds and then
 * opening files of its own. A number that means our file still after the
 * mapping was made has meant it all the time; before that is known, nothing is
 * stored, and the size is set by name.
 */
static int map_file(const struct own_fd *f, struct session_space *ret)
{
	ret->base = map_space(&ret->cap, MAP_SHARED, f->fd);
	if (!own_fd_is_ours(f))
		return -EBADF;
	return ret->base ? sys_truncate(ret->path, ret->cap) : -ENOMEM;
}

static int try_space_in(const char *dir, const struct settings *settings,
	struct session_space *ret)
{
	uint64_t file_limit = limit_of(RLIMIT_FSIZE);
	struct own_fd f;
	int err;

	ret->cap = PP_MIN(wanted_cap(settings), file_limit & -PP_PAGE);
	ret->anonymous = 0;
	if (ret->cap < SMALLEST_CAP)
		return -EFBIG; /* growing the file would raise SIGXFSZ */
	err = create_file(dir, &f, ret->path, sizeof(ret->path));
	if (!err)
		err = map_file(&f, ret);
	(void)own_fd_close(&f);
	if (err)
		session_release_space(ret);
	return err;
}

/*
 * Where each write of a page takes new room, also of one that was written
 * before, a full disk or a quota would be SIGBUS in the host: what was
 * populated has room only until the kernel has written it back. Not to be told
 * for an overlay: it may lie above anything.
 */
static bool keeps_its_room(const char *dir, bool chosen)
{
	struct statfs fs = { .f_type = 0 };

	(void)sys_call2(SYS_statfs, dir, &fs);
	switch ((uint32_t)fs.f_type) {
	case BTRFS_SUPER_MAGIC:
	case BCACHEFS_MAGIC:
		return false;
	case OVERLAYFS_SUPER_MAGIC:
		return chosen;
	default:
		return true;
	}
}

static int space_in(const char *dir, const struct settings *settings,
	struct session_space *ret)
{
	int err = -EBADF;

	if (!keeps_its_room(dir, settings->session_place == SESSION_DIR))
		return -EOPNOTSUPP;
	for (int i = 0; i < 3 && err == -EBADF; i++)
		err = try_space_in(dir, settings, ret);
	return err;
}

static int space_anonymous(
	const struct settings *settings, struct session_space *ret)
{
	ret->cap = wanted_cap(settings);
	ret->path[0] = '\0';
	ret->anonymous = 1;
	ret->base = map_space(&ret->cap, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	return ret->base ? 0 : -ENOMEM;
}

static bool shm_has_room(void)
{
	struct statfs fs;

	return sys_call2(SYS_statfs, "/dev/shm", &fs) == 0 &&
	       (uint64_t)fs.f_type == TMPFS_MAGIC &&
	       (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= SHM_ROOM;
}

void session_output_directory(
	const struct settings *settings, char *dir, size_t size)
{
	size_t slash = 0;

	(void)str_copy(dir, size, settings->output);
	for (size_t i = 0; dir[i] && dir[i] != '%'; i++)
		if (dir[i] == '/')
			slash = i;
	dir[PP_MAX(slash, 1u)] = '\0';
}

static int space_auto(
	const struct settings *settings, struct session_space *ret)
{
	char beside[SETTINGS_PATH_MAX];

	if (shm_has_room() && space_in("/dev/shm", settings, ret) == 0)
		return 0;
	session_output_directory(settings, beside, sizeof(beside));
	log_line("/dev/shm has no room for the session; using %s", beside);
	if (space_in(beside, settings, ret) == 0)
		return 0;
	log_line("no file for the session; it will not survive a kill");
	return space_anonymous(settings, ret);
}

int session_find_space(
	const struct settings *settings, struct session_space *ret)
{
	int err;

	*ret = (struct session_space){ 0 };
	switch ((enum session_place)settings->session_place) {
	case SESSION_ANONYMOUS:
		return space_anonymous(settings, ret);
	case SESSION_DIR:
		err = space_in(settings->session_dir, settings, ret);
		if (!err)
			return 0;
		log_line("PPROFC_SESSION: %s: error %d; session kept in memory",
			settings->session_dir, -err);
		return space_anonymous(settings, ret);
	case SESSION_AUTO:
		break;
	}
	return space_auto(settings, ret);
}

void session_release_space(struct session_space *space)
{
	if (space->base)
		(void)sys_munmap(space->base, space->cap);
	if (space->path[0])
		(void)sys_unlink(space->path);
	*space = (struct session_space){ 0 };
}

/* Read a small file of /proc; the terminated length, 0 on any error. */
static size_t read_small(const char *path, char *buf, size_t size)
{
	struct own_fd f;
	long n = 0;

	if (own_fd_open_any(&f, path, O_RDONLY, 0) == 0)
		n = sys_read(f.fd, buf, size - 1);
	(void)own_fd_close(&f);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* "xxxxxxxx-xxxx-..." to 16 bytes. */
static void read_boot_id(uint8_t *id)
{
	char text[64];
	size_t n = read_small(
		"/proc/sys/kernel/random/boot_id", text, sizeof(text));
	unsigned digits = 0;

	for (size_t i = 0; i < n && digits < 32; i++) {
		char c = text[i];
		unsigned v;

		if (c >= '0' && c <= '9')
			v = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = (unsigned)(c - 'a') + 10;
		else
			continue;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | v);
		digits++;
	}
}

/* Counted from the last ')': the name before it may contain anything. */
uint64_t session_start_ticks(const char *path)
{
	char text[1024];
	size_t n = read_small(path, text, sizeof(text));
	const char *p = text;
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		if (text[i] == ')')
			p = &text[i];
	for (unsigned field = 2; *p && field < 22; p++)
		field += *p == ' ';
	while (*p >= '0' && *p <= '9')
		v = v * 10 + (uint64_t)(*p++ - '0');
	return v;
}

static void name_host(struct settings *to)
{
	struct utsname names;
	bool known = sys_call1(SYS_uname, &names) == 0 && names.nodename[0];

	(void)str_copy(to->host, sizeof(to->host),
		known ? names.nodename : "localhost");
}

void session_identify(struct session *s)
{
	struct stat st;

	program_look();
	(void)str_copy(s->exe_path, sizeof(s->exe_path), program_path());
	(void)str_copy(s->settings.program, sizeof(s->settings.program),
		program_name());
	name_host(&s->settings);
	s->identity.pid = (uint32_t)sys_getpid();
	s->identity.uid = (uint32_t)sys_call0(SYS_getuid);
	s->identity.start_ticks = session_start_ticks("/proc/self/stat");
	read_boot_id(s->identity.boot_id);
	if (sys_stat("/proc/thread-self/ns/pid", &st) == 0)
		s->identity.pidns_inode = st.st_ino;
	s->start_wall_ns = sys_clock_ns(CLOCK_REALTIME);
	s->start_mono_ns = sys_clock_ns(CLOCK_MONOTONIC);
}
