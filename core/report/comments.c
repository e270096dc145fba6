/*
 * comments.c - see comments.h. Context: PP_ANY.
 */
#include "pp.h"

#include "comments.h"
#include "thread_stacks.h"
#include "modules.h"
#include "symbols.h"

#define CHANGED_MAX 8u /* files named at most */

static void add(struct comments *c, uint32_t string)
{
	if (string && c->count < COMMENTS_MAX)
		c->list[c->count++] = string;
}

/* The kinds of profile that a counter says something about. */
static uint32_t concerns(enum stat_id id)
{
	switch (id) {
	case STAT_CPU_SAMPLES:
	case STAT_CPU_OVERRUNS:
	case STAT_CPU_THREAD_END:
	case STAT_CPU_UNSEEN:
	case STAT_LOST_CPU_SESSION:
	case STAT_LOST_CPU_FORK:
	case STAT_TIMER_FAILED:
		return PROFILE_BIT(PROFILE_CPU);
	case STAT_HEAP_SAMPLES:
	case STAT_HEAP_FREES:
	case STAT_HEAP_STALE:
	case STAT_LOST_HEAP_SESSION:
	case STAT_LOST_HEAP_LIVE:
	case STAT_LOST_HEAP_NESTED:
		return PROFILE_HEAP_FAMILY;
	case STAT_BLOCK_SAMPLES:
		return PROFILE_BIT(PROFILE_BLOCK);
	case STAT_MUTEX_SAMPLES:
	case STAT_LOST_LOCK_TABLE:
		return PROFILE_BIT(PROFILE_MUTEX);
	case STAT_CREATED:
	case STAT_LOST_CREATED:
		return PROFILE_BIT(PROFILE_THREADCREATE);
	case STAT_LOCK_SKIPPED:
	case STAT_LOST_LOCK_SESSION:
		return PROFILE_WAIT_FAMILY;
	default:
		return UINT32_MAX;
	}
}

/* Shown even when it is 0: that nothing happened is worth knowing. */
static bool always(enum stat_id id)
{
	return id == STAT_STACKS_TRUNCATED || id == STAT_SELF_NS ||
	       id == STAT_CPU_SAMPLES || id == STAT_HEAP_SAMPLES ||
	       id == STAT_BLOCK_SAMPLES || id == STAT_MUTEX_SAMPLES ||
	       id == STAT_CREATED;
}

/* Before all else: the in-use values of this profile are too low. */
static void add_incomplete(struct comments *c, const struct snapshot *snap,
	enum profile_kind kind, struct strings *t)
{
	uint64_t n = snap->stats[STAT_LOST_HEAP_LIVE];

	if (n && (PROFILE_BIT(kind) & PROFILE_HEAP_FAMILY))
		add(c, strings_add_format(t, "INCOMPLETE: %llu %s",
			       (unsigned long long)n,
			       session_stat_names[STAT_LOST_HEAP_LIVE]));
}

static void add_threads(
	struct comments *c, const struct thread_stacks *all, struct strings *t)
{
	if (!all)
		return;
	add(c, strings_add_format(t, "threads: %u, without a stack: %u",
		       all->count, all->unknown));
	add(c, strings_add_format(t, "taken in: %llu us",
		       (unsigned long long)(all->took_ns / 1000)));
}

static void add_rate(struct comments *c, const struct settings *set,
	enum profile_kind kind, struct strings *t)
{
	switch (kind) {
	case PROFILE_CPU:
		add(c, strings_add_format(t, "PPROFC_CPU_HZ=%u", set->cpu_hz));
		return;
	case PROFILE_MUTEX:
		add(c, strings_add_format(t, "PPROFC_MUTEX_FRACTION=%u",
			       set->mutex_fraction));
		return;
	case PROFILE_BLOCK:
		add(c, strings_add_format(
			       t, "PPROFC_BLOCK_RATE=%u", set->block_rate));
		return;
	case PROFILE_GOROUTINE:
	case PROFILE_THREADCREATE:
		return;
	default:
		add(c, strings_add_format(t, "PPROFC_HEAP_RATE=%llu",
			       (unsigned long long)set->heap_rate));
	}
}

static void add_settings(struct comments *c, const struct settings *set,
	enum profile_kind kind, struct strings *t)
{
	add(c, strings_add_z(t, "pprofc " PPROFC_VERSION));
	add_rate(c, set, kind, t);
	add(c, strings_add_format(t, "PPROFC_MAX_DEPTH=%u", set->max_depth));
	if (set->symbols == SYMBOLS_NONE)
		add(c, strings_add_z(t, "PPROFC_SYMBOLS=none"));
	if (set->heap_foreign)
		add(c, strings_add_z(t, "no heap profiles: the program has a "
					"malloc of its own"));
}

static void add_stats(struct comments *c, const struct snapshot *snap,
	enum profile_kind kind, struct strings *t)
{
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		enum stat_id id = (enum stat_id)i;

		if (!(concerns(id) & PROFILE_BIT(kind)) ||
			(!snap->stats[i] && !always(id)))
			continue;
		add(c, strings_add_format(t, "%s: %llu", session_stat_names[i],
			       (unsigned long long)snap->stats[i]));
	}
	if (snap->undrained)
		add(c, strings_add_format(t, "records not yet counted: %u",
			       snap->undrained));
}

static void add_notes(
	struct comments *c, const char *const *notes, struct strings *t)
{
	for (unsigned i = 0; notes && notes[i] && i < COMMENTS_NOTES; i++)
		add(c, strings_add_z(t, notes[i]));
}

static void add_memory(
	struct comments *c, const struct session *s, struct strings *t)
{
	uint64_t used = atomic_load_explicit(&s->used, memory_order_relaxed);

	add(c, strings_add_format(t, "memory used (bytes): %llu",
		       (unsigned long long)used));
	add(c, strings_add_format(t, "memory cap (bytes): %llu",
		       (unsigned long long)s->cap));
}

/* A file replaced since it was mapped would give wrong names: none are taken
 * from it, and the reader of the profile should know why they are missing. */
static void add_changed(struct comments *c, const struct locations *l)
{
	unsigned left = CHANGED_MAX;

	for (unsigned i = 1; i < l->mapping_count && left; i++) {
		const struct module *m = modules_get(l->session, i);
		const char *path = m ? module_path(l->session, m) : NULL;

		if (!path || !l->mappings[i].changed)
			continue;
		add(c, strings_add_format(l->strings,
			       "no names from %s: another build than the one "
			       "that ran",
			       path));
		left--;
	}
}

void comments_make(struct comments *c, const struct snapshot *snap,
	enum profile_kind kind, const struct locations *l)
{
	c->count = 0;
	add_incomplete(c, snap, kind, l->strings);
	add_notes(c, snap->notes, l->strings);
	add_settings(c, &snap->session->settings, kind, l->strings);
	add_threads(c, snap->threads, l->strings);
	add_stats(c, snap, kind, l->strings);
	add_memory(c, snap->session, l->strings);
	add_changed(c, l);
}
