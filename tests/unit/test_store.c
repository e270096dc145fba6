/*
 * test_store.c - the session's tables, one by one and hammered by threads, and
 * a session mapped from another process.
 */
#include "pp.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"
#include "ring.h"
#include "rows.h"
#include "session.h"
#include "session_open.h"
#include "stacks.h"
#include "store.h"
#include "sys.h"
#include "test.h"
#include "threads.h"

TEST(seglist_elements_are_distinct_and_stay)
{
	struct session *s = new_session(64 << 20, NULL);
	struct seglist l = { .first_bits = 2, .elem_bytes = 8 };

	for (uint32_t i = 0; i < 10000; i++)
		*(uint64_t *)seglist_grow(s, &l, i) = i + 1;
	for (uint32_t i = 0; i < 10000; i++)
		CHECK_EQ(*(uint64_t *)seglist_at(s, &l, i), i + 1);
	CHECK(seglist_at(s, &l, 1 << 20) == NULL);
	session_close(s);
}

static uint32_t stack_of(struct session *s, uint64_t n)
{
	frame_t f[3] = { frame_make(n, true, 1), frame_make(n / 7, false, 2),
		frame_make(n / 50, false, 3) };

	return stacks_intern(s, f, 3);
}

TEST(stacks_equal_ones_share_an_id)
{
	struct session *s = new_session(64 << 20, NULL);

	for (uint64_t i = 1; i < 20000; i++) {
		uint32_t id = stack_of(s, i);

		CHECK(id != 0);
		CHECK_EQ(stack_of(s, i), id);
		CHECK_EQ(frame_pc(stacks_get(s, id)->frames[0]), i);
	}
	CHECK(stacks_get(s, 0) == NULL);
	CHECK(stacks_get(s, UINT32_MAX) == NULL);
	session_close(s);
}

TEST(full_session_overflows_and_counts)
{
	struct session *s = new_session(1 << 20, NULL);
	struct row_key key = { .kind = ROW_HEAP };
	uint64_t i = 0;

	do
		key.stack = stack_of(s, ++i);
	while (rows_intern(s, &key) != s->overflow_rows[ROW_HEAP] &&
		i < 1000000);
	CHECK(i < 1000000);
	CHECK(session_stat(s, STAT_OVERFLOW) > 0);
	CHECK(atomic_load(&s->full) != 0);
	/* No id is handed out without its row. */
	key.stack = 1;
	for (key.tid = 1; key.tid < 100000; key.tid++)
		(void)rows_intern(s, &key);
	CHECK(rows_get(s, atomic_load(&s->row_count)) != NULL);
	session_close(s);
}

#define THREADS 4
#define EACH 30000u

struct hammer {
	struct session *s;
	uint32_t number;
	uint32_t ids[EACH];
};

static void *hammer_rows(void *arg)
{
	struct hammer *h = arg;
	uint32_t slot = threads_take(h->s, 1000 + h->number);

	for (uint32_t i = 0; i < EACH; i++) {
		struct row_key key = { .kind = ROW_HEAP };
		struct record r = { .kind = RECORD_ALLOC,
			.count = ROW_ONE,
			.amount = 10,
			.size = 10 };

		key.stack = stack_of(h->s, 1 + i % 1000);
		r.row = rows_intern(h->s, &key);
		h->ids[i] = r.row;
		ring_push(h->s, r, slot, false);
		if (i % 2) {
			r.kind = RECORD_FREE;
			ring_push(h->s, r, slot, false);
		}
	}
	threads_release(h->s, slot);
	return NULL;
}

static void sum_rows(
	struct session *s, uint64_t *ret_objects, int64_t *ret_live)
{
	uint32_t n = atomic_load(&s->row_count);

	*ret_objects = 0;
	*ret_live = 0;
	for (uint32_t id = 1; id <= n; id++) {
		struct row *row = rows_get(s, id);

		CHECK(row != NULL);
		if (!row)
			return;
		*ret_objects += rows_made(row).objects;
		*ret_live += atomic_load(&row->heap.live_bytes);
	}
}

TEST(ring_many_threads_lose_nothing)
{
	static struct hammer h[THREADS];
	struct session *s = new_session(64 << 20, NULL);
	pthread_t t[THREADS];
	uint64_t objects;
	int64_t live;

	for (uint32_t i = 0; i < THREADS; i++) {
		h[i].s = s;
		h[i].number = i;
		(void)pthread_create(&t[i], NULL, hammer_rows, &h[i]);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		(void)pthread_join(t[i], NULL);
	CHECK(baton_try(s));
	(void)ring_drain(s, UINT32_MAX);
	baton_release(s);
	sum_rows(s, &objects, &live);
	CHECK_EQ(objects, (uint64_t)THREADS * EACH * ROW_ONE);
	CHECK_EQ(live, (int64_t)THREADS * EACH / 2 * 10);
	CHECK_EQ(atomic_load(&s->heap_live_bytes), live);
	for (uint32_t i = 0; i < EACH; i++)
		CHECK_EQ(h[0].ids[i], h[1].ids[i]);
	CHECK_EQ(session_stat(s, STAT_LOST_DEAD_CLAIMS), 0);
	session_close(s);
}

TEST(ring_full_without_baton_adds_directly)
{
	struct session *s = new_session(64 << 20, NULL);
	struct row_key key = { .kind = ROW_HEAP, .stack = stack_of(s, 1) };
	struct record r = { .kind = RECORD_ALLOC,
		.count = ROW_ONE,
		.amount = 7,
		.size = 7,
		.row = rows_intern(s, &key) };
	struct row *row = rows_get(s, r.row);

	CHECK(baton_try(s));
	CHECK(!baton_try(s));
	for (int i = 0; i < 5000; i++)
		ring_push(s, r, 0, false);
	CHECK_EQ(session_stat(s, STAT_DIRECT), 5000 - s->ring_slots);
	(void)ring_drain(s, UINT32_MAX);
	baton_release(s);
	CHECK_EQ(rows_made(row).raw_objects, 5000);
	CHECK_EQ(rows_made(row).bytes, 35000);
	CHECK_EQ(atomic_load(&row->heap.live_bytes), 35000);
	session_close(s);
}

/* Without CPU samples nothing else tells how far a killed program's data
 * reach. */
TEST(each_drain_notes_the_time)
{
	struct session *s = new_session(64 << 20, NULL);
	struct row_key key = { .kind = ROW_HEAP, .stack = stack_of(s, 1) };
	struct record r = { .kind = RECORD_ALLOC,
		.count = ROW_ONE,
		.row = rows_intern(s, &key) };
	uint64_t began = sys_clock_ns(CLOCK_MONOTONIC);

	CHECK_EQ(s->seen_mono_ns, 0);
	for (unsigned i = 0; i < s->ring_slots; i++)
		ring_push(s, r, 0, false);
	CHECK(s->seen_mono_ns >= began);
	CHECK(s->seen_mono_ns <= sys_clock_ns(CLOCK_MONOTONIC));
	session_close(s);
}

static struct ring_slot *slot_at(struct session *s, unsigned i)
{
	struct ring_slot *slots = session_at(s, s->ring_off);

	return &slots[i];
}

TEST(ring_abandoned_claim_is_skipped_and_counted)
{
	struct session *s = new_session(64 << 20, NULL);
	struct row_key key = { .kind = ROW_CPU, .stack = stack_of(s, 1) };
	struct record r = { .kind = RECORD_CPU, .count = 1, .amount = 10 };

	r.row = rows_intern(s, &key);
	/* A writer of thread slot 5 that stopped right after its claim, before
	 * it moved the hint: CLAIMED is state 1. */
	atomic_store(&slot_at(s, 0)->word, (uint64_t)5 << 4 | 1);
	ring_push(s, r, 1, false);
	CHECK(baton_try(s));
	CHECK_EQ(ring_drain(s, UINT32_MAX), 0);
	ring_abandon(s, 5);
	CHECK_EQ(ring_drain(s, UINT32_MAX), 2);
	baton_release(s);
	CHECK_EQ(session_stat(s, STAT_LOST_DEAD_CLAIMS), 1);
	CHECK_EQ(atomic_load(&rows_get(s, r.row)->cpu.samples), 1);
	session_close(s);
}

/* A writer that stops before it stores the hint takes it back later, however
 * far the ring has gone meanwhile. */
TEST(ring_old_hint_loses_nothing)
{
	struct session *s = new_session(64 << 20, NULL);
	struct row_key key = { .kind = ROW_CPU, .stack = stack_of(s, 1) };
	struct record r = { .kind = RECORD_CPU, .count = 1, .amount = 10 };
	struct row *row;
	uint64_t pushed = 0;

	r.row = rows_intern(s, &key);
	row = rows_get(s, r.row);
	for (uint64_t old = 0; old < 5 * s->ring_slots; old += 97) {
		for (unsigned i = 0; i < 700; i++, pushed++)
			ring_push(s, r, 1, false);
		CHECK_EQ(ring_end(s), pushed);
		atomic_store(&s->ring_hint, PP_MIN(old, pushed));
		CHECK_EQ(ring_end(s), pushed);
	}
	CHECK(baton_try(s));
	(void)ring_drain(s, UINT32_MAX);
	baton_release(s);
	CHECK_EQ(atomic_load(&row->cpu.samples), pushed);
	CHECK_EQ(atomic_load(&s->ring_tail), pushed);
	CHECK_EQ(session_stat(s, STAT_DIRECT), 0);
	session_close(s);
}

/* Killed between the two stores that recycle a slot, or in the middle of a
 * fold: what is behind is not lost. */
TEST(recovery_goes_on_from_any_step)
{
	struct session *s = new_session(64 << 20, NULL);
	struct row_key key = { .kind = ROW_CPU, .stack = stack_of(s, 1) };
	struct record r = { .kind = RECORD_CPU, .count = 1, .amount = 10 };
	struct row *row;

	r.row = rows_intern(s, &key);
	row = rows_get(s, r.row);
	for (unsigned i = 0; i < 100; i++)
		ring_push(s, r, 1, false);
	CHECK(baton_try(s));
	CHECK_EQ(ring_drain(s, 10), 10);
	baton_release(s);
	atomic_store(&s->ring_tail, 9); /* as before the second store */
	CHECK_EQ(ring_recover(s), 90);
	CHECK_EQ(atomic_load(&row->cpu.samples), 100);
	key.kind = ROW_HEAP;
	r.kind = RECORD_ALLOC;
	r.row = rows_intern(s, &key);
	rows_apply_late(s, &r);
	atomic_store(&s->late, 0); /* as after the exchange */
	CHECK_EQ(ring_recover(s), 0);
	CHECK_EQ(rows_made(rows_get(s, r.row)).raw_objects, 1);
	session_close(s);
}

TEST(peak_is_what_rows_held_at_the_maximum)
{
	struct session *s = new_session(64 << 20, NULL);
	struct row_key a = { .kind = ROW_HEAP, .stack = stack_of(s, 1) };
	struct row_key b = { .kind = ROW_HEAP, .stack = stack_of(s, 2) };
	uint32_t rows[2] = { rows_intern(s, &a), rows_intern(s, &b) };
	static const struct {
		int row, kind, bytes;
	} steps[] = { { 0, RECORD_ALLOC, 100 }, { 1, RECORD_ALLOC, 50 },
		{ 0, RECORD_FREE, 100 }, { 1, RECORD_ALLOC, 20 },
		{ 0, RECORD_ALLOC, 70 }, { 0, RECORD_FREE, 70 },
		{ 1, RECORD_FREE, 20 } };
	int64_t objects, bytes;

	for (size_t i = 0; i < PP_ARRAY_LEN(steps); i++) {
		struct record r = { .row = rows[steps[i].row],
			.kind = (uint16_t)steps[i].kind,
			.count = ROW_ONE,
			.amount = (uint64_t)steps[i].bytes };

		rows_apply(s, &r);
	}
	CHECK_EQ(atomic_load(&s->heap_peak_bytes), 150);
	rows_peak(s, rows_get(s, rows[0]), &objects, &bytes);
	CHECK_EQ(bytes, 100);
	CHECK_EQ(objects, ROW_ONE);
	rows_peak(s, rows_get(s, rows[1]), &objects, &bytes);
	CHECK_EQ(bytes, 50);
	session_close(s);
}

TEST(session_of_a_killed_process_is_read_by_another)
{
	char dir[] = "/tmp/pprofc-store-XXXXXX", path[SETTINGS_PATH_MAX];
	struct session *s = NULL;
	int fds[2], status;
	pid_t pid;

	CHECK(mkdtemp(dir) != NULL);
	CHECK_EQ(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct session *mine = new_session(4 << 20, dir);
		struct row_key key = { .kind = ROW_CPU };
		struct record r = {
			.kind = RECORD_CPU, .count = 3, .amount = 30
		};

		if (!mine)
			_exit(1);
		key.stack = stack_of(mine, 42);
		r.row = rows_intern(mine, &key);
		ring_push(mine, r, 0, false);
		(void)!write(
			fds[1], mine->file_path, strlen(mine->file_path) + 1);
		(void)pause();
	}
	CHECK(read(fds[0], path, sizeof(path)) > 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(session_open(path, &s), 0);
	if (s) {
		CHECK_EQ(s->identity.pid, (uint32_t)pid);
		CHECK(s->identity.start_ticks != 0);
		CHECK(strcmp(s->settings.program, "test_store") == 0);
		CHECK(s->settings.host[0] != '\0');
		/* It was in the ring still. */
		CHECK_EQ(atomic_load(&rows_get(s, ROW_KINDS + 1)->cpu.samples),
			3);
	}
	session_close(s);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(rmdir(dir), 0);
}

TEST(session_open_refuses_what_is_none)
{
	struct session *s = NULL;

	CHECK(session_open("/proc/self/exe", &s) < 0);
	CHECK(session_open("/nonexistent", &s) < 0);
	CHECK(s == NULL);
}

int main(void)
{
	RUN(seglist_elements_are_distinct_and_stay);
	RUN(stacks_equal_ones_share_an_id);
	RUN(full_session_overflows_and_counts);
	RUN(ring_many_threads_lose_nothing);
	RUN(ring_full_without_baton_adds_directly);
	RUN(each_drain_notes_the_time);
	RUN(ring_abandoned_claim_is_skipped_and_counted);
	RUN(ring_old_hint_loses_nothing);
	RUN(recovery_goes_on_from_any_step);
	RUN(peak_is_what_rows_held_at_the_maximum);
	RUN(session_of_a_killed_process_is_read_by_another);
	RUN(session_open_refuses_what_is_none);
	return test_done();
}
