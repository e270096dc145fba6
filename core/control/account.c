/*
 * account.c - see account.h. Context: PP_ANY.
 *
 * `covered_ns` is the CPU time of the counted threads: while a thread lives the
 * periods recorded for it, once it is settled exactly what its clock says. So
 * process clock - covered is what nobody has counted, with an error of a period
 * for each living thread, and without error when all are settled.
 */
#include "pp.h"

#include "account.h"
#include "process.h"
#include "registry.h"
#include "sys.h"
#include "thread_state.h"

static int timer_signal;
static _Atomic uint64_t covered_ns;
static _Atomic uint64_t phase; /* of the thread counted last, / 2^64 period */

uint64_t account_clock_ns(uint32_t tid)
{
	return sys_clock_ns(sys_thread_cpu_clock((int)tid));
}

uint64_t account_random_below(uint64_t n)
{
	struct thread_state *self = thread_state_get();

	return self ? thread_random(self) % n : n / 2;
}

void account_reset(void)
{
	struct thread_state *self = thread_state_get();

	atomic_store(&covered_ns, 0);
	if (self)
		atomic_store(&phase, thread_random(self));
}

uint64_t account_covered_ns(void)
{
	return atomic_load(&covered_ns);
}

void account_cover(uint64_t ns)
{
	atomic_fetch_add(&covered_ns, ns);
}

/* --- kernel timers -------------------------------------------------------- */

/* The index in the low half, the generation above. */
static uint64_t value_of(const struct counted_thread *t)
{
	return t->index | (uint64_t)atomic_load(&t->generation) << 32;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u) };
}

/* A timer on the CPU clock of `tid`, whose signal goes to that thread. Returns
 * its id or -errno. */
static int create_timer(uint32_t tid, uint64_t value)
{
	struct sigevent event = {
		.sigev_signo = timer_signal,
		.sigev_notify = SIGEV_THREAD_ID,
	};
	int id, err;

	event.sigev_value.sival_ptr = (void *)(uintptr_t)value;
	event._sigev_un._tid = (int)tid;
	err = (int)sys_call3(
		SYS_timer_create, sys_thread_cpu_clock((int)tid), &event, &id);
	return err ? err : id;
}

static void set_timer(int id, int flags, uint64_t first, uint64_t period)
{
	struct itimerspec when = { .it_value = timespec_of(first),
		.it_interval = timespec_of(period) };

	(void)sys_call4(SYS_timer_settime, id, flags, &when, NULL);
}

static void delete_timer(int id)
{
	if (id >= 0)
		(void)sys_call1(SYS_timer_delete, id);
}

int account_alarm(uint32_t tid, uint64_t value)
{
	int id = create_timer(tid, value);

	if (id >= 0)
		set_timer(id, 0, 1, 0);
	return id;
}

void account_alarm_off(int id)
{
	delete_timer(id);
}

/* --- one thread's account ------------------------------------------------- */

/* Give t a timer for its next expiry. Those before now are not fired one by
 * one: they are settled with the residual. */
static void set_going(struct counted_thread *t, uint64_t now)
{
	uint64_t period = process.cpu_period_ns, next = t->first_ns;
	uint32_t tid = atomic_load(&t->tid);
	int id;

	if (t->paused)
		return;
	if (next <= now)
		next += ((now - next) / period + 1) * period;
	id = create_timer(tid, value_of(t));
	if (id < 0)
		/* All its time will be a residual. */
		process_count(STAT_TIMER_FAILED, 1);
	atomic_store(&t->timer, id < 0 ? -1 : id);
	if (id >= 0)
		set_timer(id, TIMER_ABSTIME, next, period);
}

/*
 * When in its first period a thread's expiries start. Each phase is uniform,
 * but they are not independent: steps of the golden ratio from a random start
 * lie evenly in the period, so the error of the total does not grow with the
 * number of threads, and a program that makes its threads in any rhythm does
 * not meet the same phases again and again.
 */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static uint64_t next_phase_ns(void)
{
	uint64_t p = atomic_fetch_add(&phase, GOLDEN) + GOLDEN;

	return (uint64_t)(((unsigned __int128)p * process.cpu_period_ns) >> 64);
}

void account_open(struct counted_thread *t, uint64_t base, uint64_t now)
{
	t->base_ns = base;
	t->first_ns = base + 1 + next_phase_ns();
	atomic_store(&t->recorded, 0);
	set_going(t, now);
}

void account_stop(struct counted_thread *t)
{
	delete_timer(atomic_exchange(&t->timer, -1));
}

void account_go_on(struct counted_thread *t)
{
	uint64_t now = t->first_ns ? account_clock_ns(atomic_load(&t->tid)) : 0;

	if (now) /* is being counted, and there */
		set_going(t, now);
}

uint64_t account_settle(struct counted_thread *t)
{
	uint64_t period = process.cpu_period_ns, due = 0, recorded, now;

	if (t->first_ns == 0)
		return 0; /* was not being counted */
	recorded = atomic_exchange(&t->recorded, 0);
	now = account_clock_ns(atomic_load(&t->tid));
	if (!now)
		return 0; /* has gone */
	if (now >= t->first_ns)
		due = 1 + (now - t->first_ns) / period;
	atomic_fetch_add(&covered_ns, now - t->base_ns - recorded * period);
	t->base_ns = now;
	t->first_ns += due * period;
	return due > recorded ? due - recorded : 0;
}

uint64_t account_close(struct counted_thread *t)
{
	uint64_t rest;

	account_stop(t);
	rest = account_settle(t);
	t->first_ns = 0;
	return rest;
}

void account_book(struct counted_thread *t, uint64_t periods)
{
	atomic_fetch_add(&t->recorded, periods);
	atomic_fetch_add(&covered_ns, periods * process.cpu_period_ns);
}

#define QUIET_NS UINT64_C(1000000)

void account_postpone(struct counted_thread *t)
{
	uint64_t period = process.cpu_period_ns, next = t->first_ns;
	uint64_t quiet = account_clock_ns(atomic_load(&t->tid)) + QUIET_NS;
	int id = atomic_load(&t->timer);

	if (!next || id < 0)
		return;
	if (next <= quiet)
		next += ((quiet - next) / period + 1) * period;
	set_timer(id, TIMER_ABSTIME, next, period);
}

void account_pause(struct counted_thread *t, bool pause)
{
	if (t->paused == pause)
		return;
	t->paused = pause;
	if (pause)
		account_stop(t);
	else
		account_go_on(t);
}

/* --- the signal of all timers --------------------------------------------- */

void account_init(int sig)
{
	timer_signal = sig;
}

void account_move(int sig)
{
	uint32_t n = registry_size();

	timer_signal = sig;
	for (uint32_t i = 1; i <= n; i++) {
		struct counted_thread *t = registry_at(i);

		if (!atomic_load(&t->tid) || !t->first_ns)
			continue;
		account_stop(t);
		account_go_on(t);
	}
}
