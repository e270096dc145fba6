/*
 * test_code_gate.c - who reads code that may go away, and who takes it away.
 *
 * A closer waits 10 ms at most. A thread that the machine has kept waiting for
 * longer proves nothing: such a round is repeated.
 */
#include "pp.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "code_gate.h"
#include "sys.h"

#include "test.h"

#define PATIENCE_NS 10000000u
#define MOST_TRIES 1000

static uint64_t now_ns(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

TEST(open_gate_lets_in_and_nests)
{
	CHECK(code_gate_enter());
	CHECK(code_gate_enter());
	code_gate_leave();
	code_gate_leave();
}

static void *closes(void *unused)
{
	code_gate_close();
	return unused;
}

static void *opens(void *unused)
{
	code_gate_open();
	return unused;
}

static void in_thread(void *(*what)(void *))
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, what, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static bool is_open(void)
{
	bool entered = code_gate_enter();

	if (entered)
		code_gate_leave();
	return entered;
}

TEST(closed_gate_keeps_others_out)
{
	in_thread(closes);
	CHECK(!is_open());
	code_gate_close();
	CHECK(!is_open());
	in_thread(opens);
	/* Whoever has opened was not the last one to close. */
	CHECK(is_open());
	code_gate_open();
	CHECK(is_open());
}

TEST(closer_may_look_while_it_is_alone)
{
	code_gate_close();
	CHECK(is_open());
	in_thread(closes);
	CHECK(!is_open());
	code_gate_open(); /* the other one is left */
	CHECK(!is_open());
	in_thread(opens);
	CHECK(is_open());
}

TEST(fork_in_the_middle_leaves_the_gate_right)
{
	uint64_t began, least = UINT64_MAX;

	CHECK(code_gate_enter());
	code_gate_close();
	code_gate_reset();
	code_gate_leave(); /* what the child was in the middle of */
	code_gate_open();
	CHECK(is_open());
	/* Nobody is inside: one of many closers need not wait. */
	for (int i = 0; i < MOST_TRIES && least >= PATIENCE_NS; i++) {
		began = now_ns();
		in_thread(closes);
		least = PP_MIN(least, now_ns() - began);
		CHECK(!is_open());
		in_thread(opens);
	}
	CHECK(least < PATIENCE_NS);
}

TEST(fork_forgets_who_was_inside)
{
	uint64_t began;

	CHECK(code_gate_enter());
	code_gate_close();
	code_gate_reset();
	CHECK(code_gate_enter());
	code_gate_leave();
	began = now_ns();
	code_gate_close();
	CHECK(now_ns() - began < 1000 * (uint64_t)PATIENCE_NS);
	code_gate_open();
}

/* --- one is inside, one closes -------------------------------------------- */

static atomic_bool has_closed;

static void *close_it(void *unused)
{
	code_gate_close();
	atomic_store(&has_closed, true);
	return unused;
}

/* Has somebody begun to close? Without counting ourselves in for longer. */
static bool is_closing(void)
{
	if (!code_gate_enter())
		return true;
	code_gate_leave();
	return false;
}

/* 1: it waited until we left, 0: it did not, -1: we were kept too long. */
static int one_waits(void)
{
	bool early, late;
	uint64_t began;
	pthread_t t;

	atomic_store(&has_closed, false);
	if (!code_gate_enter())
		return 0;
	began = now_ns();
	pthread_create(&t, NULL, close_it, NULL);
	while (!is_closing())
		sched_yield();
	for (int i = 0; i < 100; i++)
		sched_yield(); /* it has every chance to go on */
	early = atomic_load(&has_closed);
	late = now_ns() - began >= PATIENCE_NS;
	code_gate_leave();
	pthread_join(t, NULL);
	code_gate_open();
	return late ? -1 : !early;
}

TEST(closer_waits_for_who_is_inside)
{
	int result = -1;

	for (int i = 0; i < MOST_TRIES && result < 0; i++)
		result = one_waits();
	CHECK_EQ(result, 1);
}

TEST(closer_does_not_wait_for_ever)
{
	uint64_t began = now_ns();

	CHECK(code_gate_enter());
	code_gate_close();
	CHECK(now_ns() - began >= PATIENCE_NS);
	code_gate_leave();
	code_gate_open();
}

/* --- readers of an object that comes and goes ----------------------------- */

#define WORDS 512
#define ROUNDS 400

/* What dlclose unmaps: here it is only spoiled, so that we live to tell. */
static _Atomic uint32_t object[WORDS];
static atomic_bool stop;
static _Atomic uint32_t reads, spoiled, excused;

static void *read_it(void *unused)
{
	while (!atomic_load(&stop)) {
		uint64_t began = now_ns();
		bool bad = false;

		if (!code_gate_enter())
			continue;
		for (unsigned i = 0; i < WORDS; i++)
			bad |= atomic_load(&object[i]) != 1;
		code_gate_leave();
		atomic_fetch_add(&reads, 1);
		if (bad && now_ns() - began < PATIENCE_NS)
			atomic_fetch_add(&spoiled, 1);
		else if (bad)
			atomic_fetch_add(&excused, 1);
	}
	return unused;
}

static void fill(uint32_t value)
{
	for (unsigned i = 0; i < WORDS; i++)
		atomic_store(&object[i], value);
}

/* Between readers it is there again, for the next to be inside. */
static void come_and_go(void)
{
	uint32_t before = atomic_load(&reads);

	while (atomic_load(&reads) == before)
		sched_yield();
	code_gate_close();
	fill(0);
	sched_yield();
	fill(1);
	code_gate_open();
}

TEST(nobody_reads_what_is_gone)
{
	pthread_t t[2];

	fill(1);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, read_it, NULL);
	for (int i = 0; i < ROUNDS; i++)
		come_and_go();
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	printf("# %u reads, %u excused\n", atomic_load(&reads),
		atomic_load(&excused));
	CHECK_EQ(atomic_load(&spoiled), 0);
	CHECK(atomic_load(&reads) >= ROUNDS);
}

int main(void)
{
	RUN(open_gate_lets_in_and_nests);
	RUN(closed_gate_keeps_others_out);
	RUN(closer_may_look_while_it_is_alone);
	RUN(fork_in_the_middle_leaves_the_gate_right);
	RUN(fork_forgets_who_was_inside);
	RUN(closer_waits_for_who_is_inside);
	RUN(closer_does_not_wait_for_ever);
	RUN(nobody_reads_what_is_gone);
	return test_done();
}
