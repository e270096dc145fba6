/*
 * session.c - the mapping itself: space, growing tables, identity. The layout
 * and the commit protocol are in session.h; where the file lies is decided in
 * session_place.c. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "fmt.h"
#include "own_fd.h"
#include "ring.h"
#include "rows.h"
#include "session.h"
#include "session_layout.h"
#include "session_place.h"
#include "sys.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

const char session_stat_names[STAT_COUNT][SESSION_STAT_NAME] = {
#define NAME(symbol, text, loss) [symbol] = text,
	STATS_LIST(NAME)
#undef NAME
};

#define FITS(symbol, text, loss) \
	_Static_assert(sizeof(text) <= SESSION_STAT_NAME, text);
STATS_LIST(FITS)
#undef FITS

bool session_stat_is_loss(enum stat_id id)
{
	static const uint8_t is_loss[STAT_COUNT] = {
#define LOSS(symbol, text, loss) [symbol] = loss,
		STATS_LIST(LOSS)
#undef LOSS
	};

	return is_loss[id];
}

/* Kernels before 5.14, and sandboxes that refuse the call whatever is asked:
 * let a system call write a word of each page, so that a full disk is EFAULT
 * and not SIGBUS. */
static int populate_by_hand(char *p, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += PP_PAGE) {
		int err = sys_sigmask(SIG_BLOCK, NULL, (sys_sigset *)(p + i));

		if (err)
			return err;
		*(volatile uint64_t *)(p + i) = 0;
	}
	return 0;
}

static int populate(char *p, uint64_t bytes)
{
	int err;

	do
		err = sys_madvise(p, bytes, MADV_POPULATE_WRITE);
	while (err == -EINTR || err == -EAGAIN);
	if (err == -EINVAL || err == -EPERM || err == -ENOSYS)
		return populate_by_hand(p, bytes);
	return err;
}

uint64_t session_extend(struct session *s, uint64_t bytes)
{
	uint64_t off = atomic_load_explicit(&s->used, memory_order_relaxed);

	bytes = pp_round_up(bytes, PP_PAGE);
	do {
		if (bytes > s->cap - off) {
			atomic_store(&s->full, 1);
			return 0;
		}
	} while (!atomic_compare_exchange_weak_explicit(&s->used, &off,
		off + bytes, memory_order_relaxed, memory_order_relaxed));
	if (populate(session_at(s, off), bytes) == 0)
		return off;
	atomic_store(&s->full, 1);
	return 0;
}

/* Give back what nobody has written to, if it is still the last step. */
static void unextend(struct session *s, uint64_t off, uint64_t bytes)
{
	uint64_t end = off + pp_round_up(bytes, PP_PAGE);

	(void)atomic_compare_exchange_strong(&s->used, &end, off);
}

void *seglist_add_segment(struct session *s, struct seglist *l, unsigned k)
{
	uint64_t bytes = (uint64_t)seglist_size(l, k) * l->elem_bytes;
	uint64_t off = session_extend(s, bytes), none = 0;

	if (!off)
		return NULL;
	if (!atomic_compare_exchange_strong_explicit(&l->seg[k], &none, off,
		    memory_order_acq_rel, memory_order_acquire)) {
		unextend(s, off, bytes);
		off = none;
	}
	return session_at(s, off);
}

void *seglist_grow(struct session *s, struct seglist *l, uint32_t i)
{
	uint32_t index;
	unsigned k = seglist_place(l, i, &index);
	char *seg;

	if (k >= SESSION_SEGMENTS)
		return NULL;
	seg = seglist_segment(s, l, k, true);
	return seg ? seg + (uint64_t)index * l->elem_bytes : NULL;
}

/* A table begins where session_tables says; all offsets are 0 = not there. */
static void define_tables(struct session *s)
{
	for (unsigned i = 0; i < SESSION_TABLES; i++) {
		struct seglist *l = session_table(s, i);

		l->first_bits = session_tables[i].first_bits;
		l->elem_bytes = session_tables[i].elem_bytes;
	}
}

static int prepare_tables(struct session *s)
{
	struct ring_slot *slots;

	define_tables(s);
	s->ring_slots = SESSION_RING_SLOTS;
	s->ring_off = session_extend(s, SESSION_RING_SLOTS * sizeof(*slots));
	if (!s->ring_off)
		return -ENOSPC;
	slots = session_at(s, s->ring_off);
	for (uint64_t i = 0; i < SESSION_RING_SLOTS; i++)
		atomic_store_explicit(
			&slots[i].word, i << 24, memory_order_relaxed);
	atomic_store(&s->heap_epoch, 1);
	return rows_prepare(s);
}

static int prepare(struct session *s, const struct settings *settings,
	const struct session_space *space)
{
	int err;

	s->magic = SESSION_MAGIC;
	s->version = SESSION_VERSION;
	s->header_bytes = (uint32_t)pp_round_up(sizeof(*s), PP_PAGE);
	s->cap = space->cap;
	s->mapped = space->cap;
	s->anonymous = space->anonymous;
	atomic_store(&s->used, s->header_bytes);
	(void)str_copy(s->file_path, sizeof(s->file_path), space->path);
	s->settings = *settings;
	session_identify(s);
	err = prepare_tables(s);
	if (err)
		return err;
	atomic_store_explicit(&s->state, SESSION_READY, memory_order_release);
	return 0;
}

int session_create(
	const struct settings *settings, struct session **ret_session)
{
	struct session_space space;
	struct session *s;
	int err = session_find_space(settings, &space);

	if (err)
		return err;
	s = space.base;
	err = populate(space.base, pp_round_up(sizeof(*s), PP_PAGE));
	if (!err)
		err = prepare(s, settings, &space);
	if (err) {
		session_release_space(&space);
		return err;
	}
	if (!s->anonymous)
		session_remove_left(s);
	*ret_session = s;
	return 0;
}

void session_unlink(struct session *s)
{
	if (!s->file_path[0])
		return;
	(void)sys_unlink(s->file_path); /* the host may have removed it */
	s->file_path[0] = '\0';
}

void session_close(struct session *s)
{
	if (s)
		(void)sys_munmap(s, s->mapped);
}

static bool is_same(const struct session *a, const struct session *b)
{
	return a->magic == b->magic && a->cap == b->cap &&
	       memcmp(&a->identity, &b->identity, sizeof(a->identity)) == 0;
}

static int map_private(const struct session *s, struct session **ret_copy)
{
	struct own_fd f;
	int err = own_fd_open(&f, s->file_path, O_RDONLY, 0);

	if (!err && f.size != s->cap)
		err = -ESTALE;
	if (!err)
		*ret_copy = sys_mmap(s->cap, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_NORESERVE, f.fd, &err);
	if (*ret_copy && (!own_fd_is_ours(&f) || !is_same(*ret_copy, s))) {
		(void)sys_munmap(*ret_copy, s->cap);
		*ret_copy = NULL;
		err = -ESTALE;
	}
	(void)own_fd_close(&f);
	return err;
}

int session_unshare(struct session *s)
{
	struct session *copy = NULL;
	int err = s->anonymous ? 0 : map_private(s, &copy);
	long moved;

	if (!copy)
		return err;
	moved = sys_call6(SYS_mremap, copy, s->cap, s->cap,
		MREMAP_MAYMOVE | MREMAP_FIXED, s, 0);
	if (moved < 0)
		(void)sys_munmap(copy, copy->cap);
	return moved < 0 ? (int)moved : 0;
}
