/*
 * test_timers.c - the end of counting, while a handler of another thread is at
 * an expiry: no handler runs here, a thread does what one does.
 */
#include "pp.h"

#include <pthread.h>
#include <signal.h>

#include "account.h"
#include "process.h"
#include "registry.h"
#include "sys.h"
#include "test.h"
#include "timers.h"
#include "unwind.h"

#define PERIOD_NS 1000000u
#define BURNT 20u  /* periods */
#define BOOKED 10u /* of them */
#define PATIENCE_NS UINT64_C(2000000000)

static _Atomic uint32_t in_handler, may_end;
static _Atomic uint64_t cpu_ns; /* of the thread, when it has booked */

static void burn(uint64_t ns)
{
	uint64_t end = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

/* Without CPU time, which would be due. */
static void await(_Atomic uint32_t *word)
{
	static const struct timespec shortly = { 0, 100000 };

	while (!atomic_load(word))
		(void)sys_call2(SYS_nanosleep, &shortly, NULL);
}

static struct counted_thread *entry_of_caller(void)
{
	for (uint32_t i = 1; i <= registry_size(); i++)
		if (atomic_load(&registry_at(i)->tid) == (uint32_t)sys_gettid())
			return registry_at(i);
	return NULL;
}

/* Its expiry has been recognised; it is booked only when the end of counting
 * has begun. */
static void *be_in_a_handler(void *unused)
{
	uint64_t until = sys_clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	struct counted_thread *t;

	timers_thread_begin(0);
	t = entry_of_caller();
	burn(BURNT * PERIOD_NS);
	atomic_fetch_add(&process.handlers, 1);
	atomic_store(&in_handler, 1);
	while (atomic_load(&t->timer) != -1 &&
		sys_clock_ns(CLOCK_MONOTONIC) < until)
		(void)sys_call0(SYS_sched_yield);
	account_book(t, BOOKED);
	atomic_store(&cpu_ns, sys_clock_ns(CLOCK_THREAD_CPUTIME_ID));
	atomic_fetch_sub(&process.handlers, 1);
	await(&may_end);
	return unused;
}

static uint64_t charged_at_the_end(void)
{
	struct session *s = process_session();

	return s ? session_stat(s, STAT_CPU_THREAD_END) : 0;
}

static void check_once(void (*settle)(void))
{
	uint64_t before = charged_at_the_end(), due;
	uint64_t began = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	pthread_t thread;

	atomic_store(&in_handler, 0);
	atomic_store(&may_end, 0);
	timers_begin(TIMERS_FROM_NOW);
	(void)pthread_create(&thread, NULL, be_in_a_handler, NULL);
	await(&in_handler);
	settle();
	due = (atomic_load(&cpu_ns) + sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) -
		      began) /
	      PERIOD_NS;
	/* Two for the phases of the two threads, and what they use at the end
	 * of it. */
	CHECK(due >= BURNT);
	CHECK(charged_at_the_end() - before <= due - BOOKED + 4);
	CHECK(charged_at_the_end() - before + 4 >= due - BOOKED);
	atomic_store(&may_end, 1);
	(void)pthread_join(thread, NULL);
	timers_end();
}

TEST(expiry_in_a_handler_at_the_end_counts_once)
{
	check_once(timers_end);
}

TEST(expiry_in_a_handler_when_accounts_are_settled_counts_once)
{
	check_once(timers_settle);
}

/* What a settled account charged is not charged again. */
TEST(settled_accounts_go_on)
{
	uint64_t before = charged_at_the_end();
	uint64_t began = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID), periods;

	timers_begin(TIMERS_FROM_NOW);
	for (unsigned i = 0; i < 10; i++) {
		burn(3 * PERIOD_NS + PERIOD_NS / 2);
		timers_settle();
	}
	timers_end();
	periods = (sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began) / PERIOD_NS;
	CHECK(charged_at_the_end() - before <= periods + 1);
	CHECK(charged_at_the_end() - before + 2 >= periods);
}

/* Of one that stays: it cannot be waited for. */
TEST(handler_that_never_ends_is_not_waited_for)
{
	uint64_t began;

	timers_begin(TIMERS_FROM_NOW);
	atomic_fetch_add(&process.handlers, 1);
	began = sys_clock_ns(CLOCK_MONOTONIC);
	timers_end();
	CHECK(sys_clock_ns(CLOCK_MONOTONIC) - began < PATIENCE_NS);
	atomic_fetch_sub(&process.handlers, 1);
}

int main(void)
{
	process.settings = (struct settings){
		.profiles = PROFILE_BIT(PROFILE_CPU),
		.memory_bytes = 4 << 20,
		.max_depth = 128,
		.session_place = SESSION_ANONYMOUS,
	};
	process.cpu_period_ns = PERIOD_NS;
	atomic_store(&process.enabled, PROFILE_BIT(PROFILE_CPU));
	(void)signal(SIGRTMAX - 1, SIG_IGN); /* of timers without a handler */
	process_start();
	unwind_start();
	timers_init(SIGRTMAX - 1);
	RUN(expiry_in_a_handler_at_the_end_counts_once);
	RUN(expiry_in_a_handler_when_accounts_are_settled_counts_once);
	RUN(settled_accounts_go_on);
	RUN(handler_that_never_ends_is_not_waited_for);
	return test_done();
}
