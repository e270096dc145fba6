/*
 * snapshot.c - see snapshot.h; also report_copy_live() of report.h.
 *
 * Order of reading. The live table is read before the ring is drained: a hook
 * enters the object there first and pushes its record second, so that nearly
 * every object seen alive has been added to its row when the row is read. What
 * a hook in between still leaves open is closed by the rule that as much must
 * have been allocated as is in use.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "kinds.h"
#include "live.h"
#include "ring.h"
#include "snapshot.h"
#include "sys.h"
#include "thread_rows.h"

#define BATON_WAIT_NS 2000000000u /* its holders need microseconds */
#define SETTLE_YIELDS 50u	  /* for claims being written: first yield, */
#define SETTLE_SLEEPS 20u	  /* then sleep a millisecond each */

static uint32_t row_count(const struct session *s)
{
	return atomic_load_explicit(&s->row_count, memory_order_acquire);
}

static void add_live(uint64_t address, const struct live_value *v, void *arg)
{
	struct live_copy *copy = arg;

	(void)address;
	if (v->row >= copy->count)
		return; /* a row made since we counted */
	copy->sums[v->row].objects += v->objects;
	copy->sums[v->row].bytes += live_bytes(v);
}

static size_t live_copy_bytes(uint32_t count)
{
	return sizeof(struct live_copy) +
	       (size_t)count * sizeof(struct live_sum);
}

/* Both allocators give zeroed memory, or none. */
static const struct live_copy *fill_live(
	const struct session *s, struct live_copy *copy, uint32_t count)
{
	if (!copy)
		return NULL;
	copy->count = count;
	live_each(s, add_live, copy);
	return copy;
}

const struct live_copy *report_copy_live(struct session *s)
{
	uint32_t count = row_count(s) + 1;
	size_t bytes = pp_round_up(live_copy_bytes(count), PP_PAGE);

	return fill_live(s, sys_map_pages(bytes), count);
}

static const struct live_copy *sum_live(struct session *s, struct arena *arena)
{
	uint32_t count = row_count(s) + 1;

	return fill_live(s, arena_alloc(arena, live_copy_bytes(count)), count);
}

static void sleep_a_little(unsigned tries)
{
	static const struct timespec ms = { 0, 1000000 };

	if (tries < SETTLE_YIELDS)
		(void)sys_call0(SYS_sched_yield);
	else
		(void)sys_call2(SYS_nanosleep, &ms, NULL);
}

/* Apply every record pushed before now. A claim still being written stops the
 * drain: its writer needs nanoseconds unless it waits for a processor or is
 * the thread we interrupted, hence the bound. Returns the records left. */
static uint32_t drain(struct session *s)
{
	uint64_t end = ring_end(s);
	int64_t left = (int64_t)(end - atomic_load_explicit(&s->ring_tail,
					       memory_order_acquire));

	for (unsigned i = 0; i < SETTLE_YIELDS + SETTLE_SLEEPS; i++) {
		if (left > 0)
			(void)ring_drain(s, (unsigned)left);
		left = (int64_t)(end - atomic_load_explicit(&s->ring_tail,
					       memory_order_acquire));
		if (left <= 0)
			return 0;
		sleep_a_little(i);
	}
	return (uint32_t)left;
}

static int64_t whole_objects(uint64_t objects)
{
	return (int64_t)((objects + ROW_ONE / 2) >> ROW_FRACTION_BITS);
}

static void read_cpu(struct row *row, bool window, int64_t *v)
{
	uint64_t samples = row->cpu.samples, ns = row->cpu.ns;

	v[0] = (int64_t)samples;
	v[1] = (int64_t)ns;
	if (!window)
		return;
	v[0] -= (int64_t)row->cpu.base_samples;
	v[1] -= (int64_t)row->cpu.base_ns;
	row->cpu.base_samples = samples;
	row->cpu.base_ns = ns;
}

static void read_heap(const struct row *row, const struct live_copy *live,
	uint32_t id, int64_t *v)
{
	struct row_made made = rows_made(row);

	v[0] = whole_objects(made.objects);
	v[1] = (int64_t)made.bytes;
	if (live && id < live->count) {
		v[2] = whole_objects(live->sums[id].objects);
		v[3] = (int64_t)live->sums[id].bytes;
	}
	v[0] = PP_MAX(v[0], v[2]);
	v[1] = PP_MAX(v[1], v[3]);
}

static void read_peak(
	const struct session *s, const struct row *row, int64_t *v)
{
	int64_t objects, bytes;

	rows_peak(s, row, &objects, &bytes);
	v[0] = whole_objects(objects > 0 ? (uint64_t)objects : 0);
	v[1] = bytes > 0 ? bytes : 0;
}

static void read_wait(const struct row *row, int64_t *v)
{
	v[0] = whole_objects(row->wait.count);
	v[1] = (int64_t)row->wait.ns;
}

static bool any_value(const int64_t *v)
{
	return v[0] || v[1] || v[2] || v[3];
}

/* What the user calls a sample, whatever it weighs. */
static uint64_t samples_of(const struct row *row, const int64_t *values)
{
	switch (row->key.kind) {
	case ROW_CPU:
		return (uint64_t)values[0];
	case ROW_HEAP:
		return rows_made(row).raw_objects;
	default:
		return row->wait.raw;
	}
}

static void copy_rows(struct session *s, const struct report_request *request,
	const struct live_copy *live, uint32_t count, struct snapshot *snap)
{
	bool window = request->occasion == REPORT_WINDOW;
	enum row_kind kind = kind_of(request->kind)->rows;

	for (uint32_t id = 1; id < count; id++) {
		struct row *row = rows_get(s, id);
		struct snapshot_row *to = &snap->rows[snap->count];

		if (!row || row->key.kind != kind)
			continue;
		*to = (struct snapshot_row){ .key = &row->key };
		if (kind == ROW_CPU)
			read_cpu(row, window, to->values);
		else if (kind != ROW_HEAP)
			read_wait(row, to->values);
		else if (request->kind == PROFILE_HEAP_PEAK)
			read_peak(s, row, to->values);
		else
			read_heap(row, live, id, to->values);
		if (!any_value(to->values))
			continue;
		snap->count++;
		snap->samples += samples_of(row, to->values);
	}
}

/* CPU profiles state their span, from its start. The heap kinds describe a
 * moment and have no duration, as Go's. */
static void set_times(const struct session *s,
	const struct report_request *request, struct snapshot *snap)
{
	uint64_t mono = request->own_process ? sys_clock_ns(CLOCK_MONOTONIC)
					     : s->seen_mono_ns;
	uint64_t ran = mono > s->start_mono_ns ? mono - s->start_mono_ns : 0;
	uint64_t now = s->start_wall_ns + ran;
	uint64_t start = s->start_wall_ns;

	if (request->kind != PROFILE_CPU) {
		snap->wall_ns = now;
		return;
	}
	if (request->occasion == REPORT_WINDOW && s->cpu_window_start_ns)
		start = s->cpu_window_start_ns;
	snap->wall_ns = start;
	snap->duration_ns = now > start ? now - start : 0;
}

const struct label *snapshot_labels_of(const struct snapshot *snap,
	const struct row_key *key, const struct snapshot_labels *more,
	unsigned *ret_n)
{
	if (!more)
		return labels_get(snap->session, key->labels, ret_n);
	*ret_n = more->count;
	return more->list;
}

static bool needs_live(const struct report_request *request)
{
	return request->kind == PROFILE_HEAP || request->kind == PROFILE_ALLOCS;
}

static void copy_stats(const struct session *s, struct snapshot *snap)
{
	for (unsigned i = 0; i < STAT_COUNT; i++)
		snap->stats[i] = session_stat(s, (enum stat_id)i);
	if ((int64_t)snap->stats[STAT_SELF_NS] < 0) /* a sum of differences */
		snap->stats[STAT_SELF_NS] = 0;
}

/* All threads at one moment are not in rows: nothing is waited for. */
static int take_threads(struct session *s, const struct report_request *request,
	struct arena *arena, struct snapshot *ret)
{
	struct snapshot snap = { .session = s, .notes = request->notes };
	int err = thread_rows(s, request->threads, arena, &snap);

	if (err)
		return err;
	set_times(s, request, &snap);
	copy_stats(s, &snap);
	*ret = snap;
	return 0;
}

int snapshot_take(struct session *s, const struct report_request *request,
	struct arena *arena, struct snapshot *ret)
{
	const struct live_copy *live = request->live;
	struct snapshot snap = { .session = s, .notes = request->notes };
	uint32_t count;
	bool baton;

	if (request->kind == PROFILE_GOROUTINE)
		return take_threads(s, request, arena, ret);
	if (!live && needs_live(request))
		live = sum_live(s, arena);
	if (!live && needs_live(request))
		return -ENOMEM;
	count = row_count(s) + 1;
	snap.rows = arena_alloc(arena, count * sizeof(*snap.rows));
	if (!snap.rows)
		return -ENOMEM;
	baton = baton_wait(s, BATON_WAIT_NS);
	if (!baton && request->occasion == REPORT_WINDOW)
		return -EBUSY;
	/* Without the baton the rows are still right, only not up to date;
	 * the number of records missing goes into a comment. */
	snap.undrained = baton ? drain(s)
			       : (uint32_t)(ring_end(s) - s->ring_tail);
	copy_rows(s, request, live, count, &snap);
	if (baton)
		baton_release(s);
	set_times(s, request, &snap);
	copy_stats(s, &snap);
	*ret = snap;
	return 0;
}
