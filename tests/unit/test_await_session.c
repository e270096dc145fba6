/*
 * test_await_session.c - threads that need the session while another one is
 * making it. Here that other one is the test: it says so in process.creating,
 * and takes its time.
 */
#include "pp.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>

#include "process.h"
#include "residual.h"
#include "sys.h"
#include "test.h"

#define MS UINT64_C(1000000)
#define PERIODS 7u

static uint64_t now_ns(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

/* A new image, in which thread `tid` makes the session. */
static void begin(uint32_t tid)
{
	(void)process_reborn();
	process.settings.session_place = SESSION_ANONYMOUS;
	process.settings.memory_bytes = UINT64_C(4) << 20;
	atomic_store(&process.creating, tid);
}

static void finish(struct session *s)
{
	atomic_store(&process.session, s);
	atomic_store(&process.creating, UINT32_MAX);
	(void)sys_call3(
		SYS_futex, &process.creating, FUTEX_WAKE_PRIVATE, INT_MAX);
}

struct waiter {
	void (*fn)(void);
	pthread_t thread;
	_Atomic uint32_t started;
	uint64_t waited_ns, cpu_ns;
};

static void *wait_in_thread(void *arg)
{
	struct waiter *w = arg;
	uint64_t began = now_ns();

	atomic_store(&w->started, 1);
	w->fn();
	w->waited_ns = now_ns() - began;
	w->cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static void start(struct waiter *w, void (*fn)(void))
{
	*w = (struct waiter){ .fn = fn };
	CHECK_EQ(pthread_create(&w->thread, NULL, wait_in_thread, w), 0);
	while (!atomic_load(&w->started))
		(void)sys_call0(SYS_sched_yield);
}

static void pass(uint64_t ns)
{
	struct timespec t = { 0, (long)ns };

	(void)sys_call2(SYS_nanosleep, &t, NULL);
}

static void thread_ends(void)
{
	residual_charge(FRAME_THREAD_END, 0, PERIODS, NULL);
}

TEST(thread_end_waits_for_a_maker_without_a_processor)
{
	struct session *s = NULL;
	struct waiter w;

	begin((uint32_t)sys_gettid());
	CHECK_EQ(session_create(&process.settings, &s), 0);
	start(&w, thread_ends);
	pass(300 * MS);
	finish(s);
	(void)pthread_join(w.thread, NULL);
	CHECK_EQ(session_stat(s, STAT_CPU_THREAD_END), PERIODS);
	CHECK_EQ(atomic_load(&process.early_stats[STAT_LOST_CPU_SESSION]), 0);
	/* Asleep, not in a loop. */
	CHECK(w.cpu_ns < 30 * MS);
}

TEST(thread_end_goes_on_without_a_maker_that_never_ends)
{
	struct waiter w;

	begin((uint32_t)sys_gettid());
	start(&w, thread_ends);
	(void)pthread_join(w.thread, NULL);
	CHECK(w.waited_ns >= PROCESS_END_PATIENCE_NS);
	CHECK_EQ(atomic_load(&process.early_stats[STAT_LOST_CPU_SESSION]),
		PERIODS);
	/* And nobody else waits for it again. */
	start(&w, thread_ends);
	(void)pthread_join(w.thread, NULL);
	CHECK(w.waited_ns < PROCESS_END_PATIENCE_NS / 2);
}

/* Longer than any machine is busy, so that only the event can end it. */
#define LONG_NS (10000 * MS)

static void waits(void)
{
	process_await_session(LONG_NS);
}

TEST(waiting_ends_when_the_session_is_there)
{
	struct session *s = NULL;
	struct waiter w;

	begin((uint32_t)sys_gettid());
	CHECK_EQ(session_create(&process.settings, &s), 0);
	start(&w, waits);
	finish(s);
	(void)pthread_join(w.thread, NULL);
	CHECK(w.waited_ns < LONG_NS);
}

TEST(waiting_ends_when_there_will_be_none)
{
	struct waiter w;

	begin((uint32_t)sys_gettid());
	start(&w, waits);
	finish(NULL);
	(void)pthread_join(w.thread, NULL);
	CHECK(w.waited_ns < LONG_NS);
}

TEST(maker_does_not_wait_for_itself)
{
	uint64_t began = now_ns();

	begin((uint32_t)sys_gettid());
	process_await_session(LONG_NS);
	CHECK(now_ns() - began < LONG_NS);
}

int main(void)
{
	process_start();
	RUN(thread_end_waits_for_a_maker_without_a_processor);
	RUN(thread_end_goes_on_without_a_maker_that_never_ends);
	RUN(waiting_ends_when_the_session_is_there);
	RUN(waiting_ends_when_there_will_be_none);
	RUN(maker_does_not_wait_for_itself);
	return test_done();
}
