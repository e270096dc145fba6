/*
 * session.h - one process's profile data in one mapping that another process
 * can open after this one has died.
 *
 * Layout. Page 0 is struct session; everything else is reached from it by
 * byte offsets from the start of the mapping ("off"), so the mapping may lie
 * anywhere. Words that several threads change are C11 atomics. Numbers have
 * the byte order of the machine. Version: SESSION_VERSION; any change of a
 * struct in core/store that is reachable from the mapping bumps it.
 *
 * Space. The mapping is `cap` bytes of address space over a sparse file (or
 * anonymous memory). session_extend() hands out steps of whole pages by moving
 * `used`; a step is populated (MADV_POPULATE_WRITE) before its offset is
 * published, so that a full disk is an error here and never a SIGBUS later.
 * Nothing is ever given back or moved while the process lives.
 *
 * Commit protocol, in one place (each file below repeats its own part):
 *   1. stacks.c  A stack is written whole, then its id is put into the index by
 *                one CAS with release. An id found in the index is complete.
 *                Label sets (labels.c) likewise.
 *   2. rows.c    A row's key is written whole, then its id is published the
 *                same way. Its counters start at zero and only ever take
 *                additions: atomic ones by anybody, or, of a heap row, plain
 *                ones by the holder of the baton.
 *   3. live.c    An entry's key goes 0 -> BUSY -> address with release once
 *                the value is written; removal is one CAS address -> BUSY, then
 *                BUSY -> 0. A reader takes entries whose key is an address,
 *                before and after, with the version of the value unchanged.
 *   4. ring.c    A slot goes FREE(t) -> CLAIMED(t) -> FULL(t) -> APPLYING(t) ->
 *                FREE(t + n). FULL is published with release after the record;
 *                APPLYING before the first addition to a row. After a crash a
 *                FULL slot is still to be applied, an APPLYING one counts as
 *                applied, a CLAIMED one is lost and counted.
 *   5. `state` becomes SESSION_READY with release when the header is complete;
 *      SESSION_FINAL when the last report has been written.
 *
 * Owner: the process that created it. A forked child inherits the mapping but
 * must not store to it: it drops the pointer (process_generation in
 * core/capture/process.h) and creates its own. Context: PP_ANY.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdatomic.h>

#include "pp.h"

#include "settings.h"
#include "stats.h"

#define SESSION_MAGIC UINT64_C(0x31434650524f5050) /* "PPROFPC1", roughly */
#define SESSION_VERSION 7u
#define SESSION_SEGMENTS 20u

enum session_state { SESSION_NEW, SESSION_READY, SESSION_FINAL };

/* A growing table: segment k holds 2^(first_bits + k) elements at seg[k]; 0 =
 * not there yet. Segments are only added, in order. */
struct seglist {
	_Atomic uint64_t seg[SESSION_SEGMENTS];
	uint32_t first_bits;
	uint32_t elem_bytes;
};

/* Who this is, so that a recovered file names its process for certain. */
struct session_identity {
	uint8_t boot_id[16];
	uint64_t pidns_inode; /* /proc/self/ns/pid; 0 = unknown */
	uint64_t start_ticks; /* field 22 of /proc/self/stat; 0 = unknown */
	uint32_t pid;
	uint32_t uid;
};

/*
 * How another process asks this one for profiles (core/offline/ask.c): it
 * queues `signal` with a value, and reads here which files were written.
 */
struct session_asking {
	_Atomic int32_t signal;			 /* 0 = nobody would hear it */
	_Atomic uint32_t answered;		 /* requests served */
	_Atomic uint32_t written[PROFILE_KINDS]; /* files, when asked */
	char paths[PROFILE_KINDS][SETTINGS_PATH_MAX]; /* the last of each */
};

/* The value: this above, a mask of kinds below. */
#define ASKING_MAGIC UINT64_C(0x70707266)
#define ASKING_NAMES_ONLY (1u << 31) /* no source lines: those can wait */

struct session {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes;
	_Atomic uint32_t state;
	_Atomic uint32_t baton; /* tid of the holder; 0 = free: ring.c */
	struct session_identity identity;
	uint64_t start_wall_ns; /* CLOCK_REALTIME at the process's start */
	uint64_t start_mono_ns; /* CLOCK_MONOTONIC at the same moment */
	/* The last time a clock was read while something was recorded. */
	_Atomic uint64_t seen_mono_ns;
	_Atomic uint32_t written_kinds; /* final profiles that are there */
	_Atomic uint32_t ending_signal; /* it is about to end the process */

	uint64_t cap;	       /* bytes of address space */
	uint64_t mapped;       /* the same, less in a copy */
	_Atomic uint64_t used; /* bytes handed out */
	_Atomic uint32_t full; /* a step was refused */
	uint32_t anonymous;    /* no file behind it */

	/* ring.c */
	uint64_t ring_off;
	uint32_t ring_slots; /* power of two */
	uint32_t ring_unused;
	/* A ticket whose successors may be free: ring.c. */
	_Alignas(PP_CACHE_LINE) _Atomic uint64_t ring_hint;
	_Alignas(PP_CACHE_LINE) _Atomic uint64_t ring_tail; /* next to drain;
							       baton holder */

	/* stacks.c, rows.c */
	_Alignas(PP_CACHE_LINE) struct seglist stack_index;
	struct seglist row_index;
	struct seglist rows;
	_Atomic uint32_t row_count; /* ids 1..row_count have been handed out */
	uint32_t overflow_rows[6];  /* by kind: where samples go when full */
	_Atomic uint64_t stack_chunk; /* chunk.h */

	/* labels.c */
	struct seglist label_index;
	_Atomic uint64_t label_chunk;	   /* chunk.h */
	_Atomic uint32_t wait_labels[16];  /* sets {wait: CLASS}, or 0 */
	_Atomic uint32_t lock_labels_last; /* the newest of */
	_Atomic uint32_t lock_labels;	   /* sets {lock: PLACE} made */

	/* live.c */
	struct seglist live_keys;
	struct seglist live_values;

	/* modules.c, threads.c */
	struct seglist modules;
	_Atomic uint32_t module_count;
	_Atomic uint64_t module_text; /* chunk.h, for paths */
	struct seglist threads;
	_Atomic uint32_t thread_count;

	/* Peak of the in-use heap, kept by whoever applies records: rows.c */
	_Alignas(PP_CACHE_LINE) _Atomic int64_t heap_live_bytes;
	_Atomic int64_t heap_peak_bytes;
	_Atomic uint32_t heap_epoch;
	_Atomic uint32_t late; /* rows_apply_late() has been used: fold */

	_Alignas(PP_CACHE_LINE) _Atomic uint64_t stats[STAT_COUNT];

	/* Per kind: number of the last file written with .N, and totals. */
	_Atomic uint32_t sequence[PROFILE_KINDS];
	uint64_t cpu_window_start_ns; /* wall clock; 0 = no window is open */

	uint64_t vdso_start;
	char exe_path[SETTINGS_PATH_MAX];  /* the file being run */
	char file_path[SETTINGS_PATH_MAX]; /* of the session file; "" if
					      anonymous or unlinked */
	struct settings settings;
	struct session_asking asking;
};

/*
 * Create, map and prepare a session for this process, following
 * settings->session_place: /dev/shm if it is a tmpfs with room, else beside
 * the output, else anonymous; each step down is logged. The cap is
 * settings->memory_bytes, lowered to RLIMIT_FSIZE and halved down to 1 MiB
 * while address space is refused.
 * Returns 0 and the session in state SESSION_READY, or -errno.
 */
int session_create(
	const struct settings *settings, struct session **ret_session) PP_ANY;

/* In a child that a fork made in the middle of a hook, and that goes on with
 * it: from now on in a private copy of the parent's session, at its place. */
int session_unshare(struct session *s) PP_ANY;

/* Remove the session's name from its directory; the mapping stays. */
void session_unlink(struct session *s) PP_ANY;

/* Unmap. Only for the copies of session_open.h, for sessions of other processes
 * and for tests. */
void session_close(struct session *s) PP_ANY;

/* Take `bytes` (rounded up to pages), zeroed and populated. Returns the offset,
 * or 0 when the cap or the disk is reached (then s->full is set). */
uint64_t session_extend(struct session *s, uint64_t bytes) PP_ANY;

static inline void *session_at(const struct session *s, uint64_t off)
{
	return (char *)(uintptr_t)s + off;
}

static inline void session_count(struct session *s, enum stat_id id, uint64_t n)
{
	atomic_fetch_add_explicit(&s->stats[id], n, memory_order_relaxed);
}

/* Up to when the data reach, should the process be killed. */
static inline void session_seen(struct session *s, uint64_t mono_ns)
{
	if (mono_ns)
		atomic_store_explicit(
			&s->seen_mono_ns, mono_ns, memory_order_relaxed);
}

static inline uint64_t session_stat(const struct session *s, enum stat_id id)
{
	return atomic_load_explicit(&s->stats[id], memory_order_relaxed);
}

/* "cpu samples" and so on, for comments. No pointers, which the loader would
 * have to fill in: without them it writes to a page less. */
#define SESSION_STAT_NAME 80u
extern const char session_stat_names[STAT_COUNT][SESSION_STAT_NAME]
	__attribute__((visibility("hidden")));
bool session_stat_is_loss(enum stat_id id) PP_ANY;

/* The number of elements of segment k. */
static inline uint32_t seglist_size(const struct seglist *l, unsigned k)
{
	return 1u << (l->first_bits + k);
}

/* Segment k itself, added if `grow`; NULL if absent. */
void *seglist_add_segment(
	struct session *s, struct seglist *l, unsigned k) PP_ANY;

static inline void *seglist_segment(
	struct session *s, struct seglist *l, unsigned k, bool grow)
{
	uint64_t off = atomic_load_explicit(&l->seg[k], memory_order_acquire);

	if (pp_likely(off != 0))
		return session_at(s, off);
	return grow ? seglist_add_segment(s, l, k) : NULL;
}

/* Element i lies in segment k, which starts at element
 * 2^(first_bits + k) - 2^first_bits. */
static inline unsigned seglist_place(
	const struct seglist *l, uint32_t i, uint32_t *ret_index)
{
	uint64_t from_1 = (uint64_t)i + (UINT64_C(1) << l->first_bits);
	unsigned log2 = 63u - (unsigned)__builtin_clzll(from_1);

	*ret_index = (uint32_t)(from_1 ^ UINT64_C(1) << log2);
	return log2 - l->first_bits;
}

/* Element i of a growing table, or NULL if its segment is not there. */
static inline void *seglist_at(
	const struct session *s, const struct seglist *l, uint32_t i)
{
	uint32_t index;
	unsigned k = seglist_place(l, i, &index);
	uint64_t off;

	if (pp_unlikely(k >= SESSION_SEGMENTS))
		return NULL;
	off = atomic_load_explicit(&l->seg[k], memory_order_acquire);
	if (pp_unlikely(!off))
		return NULL;
	return (char *)session_at(s, off) + (uint64_t)index * l->elem_bytes;
}

/* The same, adding segments as needed; NULL when the session is full. */
void *seglist_grow(struct session *s, struct seglist *l, uint32_t i) PP_ANY;

#endif
