/*
 * session_open.c - see session_open.h: opening and copying. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "fmt.h"
#include "modules.h"
#include "own_fd.h"
#include "ring.h"
#include "session_open.h"
#include "sys.h"

/* Behind the copy: for the name of another executable. */
#define EXTRA_BYTES (2 * PP_PAGE)
_Static_assert(SETTINGS_PATH_MAX < EXTRA_BYTES, "a path fits");

/* Exactly n bytes. */
static int read_all(
	const struct session_source *from, uint64_t off, void *buf, uint64_t n)
{
	char *to = buf;

	if (off > from->bytes || n > from->bytes - off)
		return SESSION_CUT;
	while (n) {
		long got = sys_pread(from->fd, to, n, from->off + off);

		if (got == -EINTR)
			continue;
		if (got <= 0)
			return got ? (int)got : SESSION_CUT;
		to += got;
		off += (uint64_t)got;
		n -= (uint64_t)got;
	}
	return 0;
}

int session_read_header(const struct session_source *from, struct session *ret)
{
	int err;

	/* What tells the version has to lie where it always lay. */
	if (from->bytes < offsetof(struct session, baton))
		return from->bytes ? SESSION_NONE : SESSION_UNFINISHED;
	err = read_all(from, 0, ret, offsetof(struct session, baton));
	if (err)
		return err;
	if (ret->magic == 0 || (ret->magic == SESSION_MAGIC &&
				       atomic_load(&ret->state) == SESSION_NEW))
		return SESSION_UNFINISHED;
	if (ret->magic != SESSION_MAGIC)
		return SESSION_NONE;
	if (ret->version != SESSION_VERSION)
		return SESSION_OTHER_VERSION;
	err = read_all(from, 0, ret, sizeof(*ret));
	return err ? err : session_check_header(ret);
}

/* The next byte that is not in a hole, as seen from `off`, and the end of what
 * follows it. False: nothing more. */
static bool next_data(const struct session_source *from, uint64_t off,
	uint64_t end, uint64_t *ret_from, uint64_t *ret_to)
{
	long data = sys_call3(SYS_lseek, from->fd, from->off + off, SEEK_DATA);
	long hole;

	if (data == -ENXIO)
		return false;
	if (data < 0) { /* this file system does not know holes */
		*ret_from = off;
		*ret_to = end;
		return true;
	}
	hole = sys_call3(SYS_lseek, from->fd, data, SEEK_HOLE);
	*ret_from = (uint64_t)data - from->off;
	*ret_to = hole < 0 ? end : PP_MIN(end, (uint64_t)hole - from->off);
	return *ret_from < end && *ret_from < *ret_to;
}

static int copy_data(
	const struct session_source *from, struct session *to, uint64_t end)
{
	uint64_t at, stop, off = 0;
	int err = 0;

	while (!err && off < end && next_data(from, off, end, &at, &stop)) {
		err = read_all(from, at, session_at(to, at), stop - at);
		off = stop;
	}
	return err;
}

/* What was cut off meanwhile looked like a hole. */
static int check_size(const struct session_source *from, uint64_t used)
{
	struct stat st;
	int err = sys_fstat(from->fd, &st);

	if (!err && (uint64_t)st.st_size < from->off + used)
		err = SESSION_CUT;
	return err;
}

/*
 * The header is the first thing that was read, so what it counts is in the
 * copy. The ring is the last: a record that was added to its row before that
 * row was copied is not in the ring any more, and so never counts twice.
 */
static int copy(const struct session_source *from, const struct session *head,
	struct session *s)
{
	int err = copy_data(from, s, atomic_load(&head->used));
	uint64_t tail = 0;

	*s = *head;
	if (!err)
		err = read_all(from, offsetof(struct session, ring_tail), &tail,
			sizeof(tail));
	if (!err)
		err = read_all(from, s->ring_off, session_at(s, s->ring_off),
			s->ring_slots * sizeof(struct ring_slot));
	atomic_store(&s->ring_tail, tail);
	return err ? err : check_size(from, atomic_load(&head->used));
}

static struct session *map_copy(uint64_t bytes, int *ret_err)
{
	return sys_mmap(bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, ret_err);
}

static int read_session(const struct session_source *from,
	const struct session *head, struct session **ret_session)
{
	uint64_t bytes = atomic_load(&head->used) + EXTRA_BYTES;
	struct session *s;
	int err = 0;

	if (atomic_load(&head->used) > from->bytes)
		return SESSION_CUT;
	s = map_copy(bytes, &err);
	if (!s)
		return err;
	err = copy(from, head, s);
	s->mapped = bytes;
	if (!err)
		err = session_check(s);
	if (err) {
		session_close(s);
		return err;
	}
	atomic_store(&s->baton, 0);
	(void)ring_recover(s);
	*ret_session = s;
	return 0;
}

int session_read(
	const struct session_source *from, struct session **ret_session)
{
	struct session *head = sys_map_pages(sizeof(*head));
	int err;

	if (!head)
		return -ENOMEM;
	err = session_read_header(from, head);
	if (!err)
		err = read_session(from, head, ret_session);
	(void)sys_munmap(head, sizeof(*head));
	return err;
}

int session_open(const char *path, struct session **ret_session)
{
	struct own_fd f;
	int err = own_fd_open(&f, path, O_RDONLY, 0);

	if (!err)
		err = session_read(&(struct session_source){ f.fd, 0, f.size },
			ret_session);
	(void)own_fd_close(&f);
	return err;
}

bool session_replace_exe(struct session *copy, const char *path)
{
	uint64_t off = copy->mapped - EXTRA_BYTES;
	uint32_t n = atomic_load(&copy->module_count);

	if (!str_copy(copy->exe_path, sizeof(copy->exe_path), path))
		return false;
	(void)str_copy(session_at(copy, off), EXTRA_BYTES, path);
	atomic_store(&copy->used, copy->mapped);
	copy->cap = PP_MAX(copy->cap, copy->mapped);
	for (uint32_t i = 1; i <= n; i++) {
		struct module *m = seglist_at(copy, &copy->modules, i);

		if (!m || !m->is_main || m->kind != MODULE_FILE)
			continue;
		m->path_off = off;
		m->path_len = (uint16_t)str_len(path);
	}
	return true;
}
