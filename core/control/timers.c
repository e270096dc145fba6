/*
 * timers.c - see timers.h. Context: PP_ANY.
 *
 * Accounts. `covered_ns` is the CPU time of the counted threads: while a thread
 * lives the periods recorded for it, once it is settled exactly what its clock
 * says. So process clock - covered is what nobody has counted, with an error of
 * a period for each living thread, and without error when all are settled.
 */
#include "pp.h"

#include <errno.h>

#include "directory.h"
#include "fmt.h"
#include "glibc_thread.h"
#include "own_stack.h"
#include "process.h"
#include "registry.h"
#include "sample.h"
#include "sys.h"
#include "thread_state.h"
#include "timers.h"
#include "unwind.h"

#define CHECK_EVERY 100u /* samples between looks for unseen threads */
#define MOST_HELPERS 4u
#define SESSION_PATIENCE_NS 100000000u

static int timer_signal;
static _Atomic bool counting;
static _Atomic uint64_t covered_ns;
static _Atomic uint64_t forgiven_ns; /* unseen at the last scan */
static uint64_t process_base_ns;
static _Atomic uint32_t samples_seen;
static _Atomic uint64_t phase; /* of the thread counted last, / 2^64 period */
static _Atomic uint32_t helpers[MOST_HELPERS]; /* tids */

static uint64_t thread_clock_ns(uint32_t tid)
{
	return sys_clock_ns(sys_thread_cpu_clock((int)tid));
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

/* --- one thread's account (registry locked) ------------------------------- */

static uint64_t random_below(uint64_t n)
{
	struct thread_state *self = thread_state_get();

	return self ? thread_random(self) % n : n / 2;
}

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

/* Count t from `base` on its CPU clock. */
static void arm(struct counted_thread *t, uint64_t base, uint64_t now)
{
	t->base_ns = base;
	t->first_ns = base + 1 + next_phase_ns();
	atomic_store(&t->recorded, 0);
	set_going(t, now);
}

/* Stop counting t; returns the periods that are due and not recorded. */
static uint64_t disarm(struct counted_thread *t)
{
	uint64_t period = process.cpu_period_ns, due = 0, recorded, now;

	if (t->first_ns == 0)
		return 0; /* was not being counted */
	delete_timer(atomic_exchange(&t->timer, -1));
	recorded = atomic_load(&t->recorded);
	now = thread_clock_ns(atomic_load(&t->tid));
	if (now) {
		atomic_fetch_add(
			&covered_ns, now - t->base_ns - recorded * period);
		if (now >= t->first_ns)
			due = 1 + (now - t->first_ns) / period;
	}
	t->first_ns = 0;
	return due > recorded ? due - recorded : 0;
}

struct charge {
	enum frame_synthetic leaf;
	uint64_t start_pc, periods;
	const struct sample_thread *of;
};

/*
 * The session, which another thread may just be making: that takes less than a
 * millisecond, and unlike a handler this may wait for it. Once only in vain.
 */
static struct session *patient_session(void)
{
	static _Atomic bool in_vain;
	struct session *s = process_session();
	uint64_t end;

	if (s || atomic_load(&in_vain))
		return s;
	end = sys_clock_ns(CLOCK_MONOTONIC) + SESSION_PATIENCE_NS;
	while (!s && sys_clock_ns(CLOCK_MONOTONIC) < end) {
		(void)sys_call0(SYS_sched_yield);
		s = process_session();
	}
	atomic_store(&in_vain, s == NULL);
	return s;
}

static void charge_here(void *arg)
{
	const struct charge *c = arg;
	struct session *s = patient_session();
	frame_t start = s && c->start_pc ? unwind_frame_of(s, c->start_pc, true)
					 : 0;

	sample_cpu_synthetic(c->leaf, start, c->periods, c->of);
}

/* Making a session takes more stack than a thread may have. */
static void charge(enum frame_synthetic leaf, uint64_t start_pc,
	uint64_t periods, const struct sample_thread *of)
{
	struct charge c = { leaf, start_pc, periods, of };

	if (!periods)
		return;
	if (process_session_peek())
		charge_here(&c);
	else
		own_stack_run(charge_here, &c);
}

static void read_name(uint32_t tid, struct sample_thread *ret)
{
	char path[48];
	struct own_fd f;
	long n = 0;

	*ret = (struct sample_thread){ .tid = tid };
	(void)fmt(path, sizeof(path), "/proc/self/task/%u/comm", tid);
	if (own_fd_open_any(&f, path, O_RDONLY, 0) == 0)
		n = sys_read(f.fd, ret->name, sizeof(ret->name));
	(void)own_fd_close(&f);
	/* A newline ends it; the kernel's names have at most 15 characters. */
	ret->name[n > 0 ? n - 1 : 0] = '\0';
}

/* Settle the account of another thread, or of the caller. */
static void settle(struct counted_thread *t)
{
	uint32_t tid = atomic_load(&t->tid);
	uint64_t rest = disarm(t);
	struct sample_thread of;

	if (!rest)
		return;
	read_name(tid, &of);
	charge(FRAME_THREAD_END, t->start_pc, rest, &of);
}

/* --- threads we did not see start ----------------------------------------- */

static bool is_helper(uint32_t tid)
{
	for (unsigned i = 0; i < MOST_HELPERS; i++) {
		if (atomic_load(&helpers[i]) == tid)
			return true;
	}
	return false;
}

static void found(uint32_t tid, bool from_now)
{
	struct counted_thread *t = registry_find(tid);
	uint64_t now;

	if (!t && !is_helper(tid))
		t = registry_add(tid);
	if (!t || t->first_ns)
		return;
	now = thread_clock_ns(tid);
	if (now)
		arm(t, from_now ? now : 0, now);
	else
		registry_remove(t); /* gone meanwhile */
}

static uint32_t number(const char *s)
{
	uint32_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (uint32_t)(*s++ - '0');
	return *s ? 0 : n;
}

/* Registry locked. */
static void scan(bool from_now)
{
	struct directory tasks;
	const char *name;

	if (directory_open(&tasks, "/proc/self/task") != 0)
		return;
	while ((name = directory_next(&tasks))) {
		uint32_t tid = number(name);

		if (tid)
			found(tid, from_now);
	}
	directory_close(&tasks);
}

/* Threads that ended without us: by exit(2), or found by a scan. */
static void sweep(void)
{
	uint32_t n = registry_size();

	for (uint32_t i = 1; i <= n; i++) {
		struct counted_thread *t = registry_at(i);
		uint32_t tid = atomic_load(&t->tid);

		if (!tid || thread_clock_ns(tid) != 0)
			continue;
		(void)disarm(t);
		registry_remove(t);
	}
}

/* CPU time of the process that no account explains. */
static uint64_t unseen_ns(uint64_t process_ns)
{
	uint64_t total = process_ns - process_base_ns;
	uint64_t covered = atomic_load(&covered_ns);

	return total > covered ? total - covered : 0;
}

static bool too_much_unseen(uint64_t *ret_unseen)
{
	uint64_t now = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t unseen = unseen_ns(now);
	uint64_t slack = (registry_count() + 2) * process.cpu_period_ns;

	*ret_unseen = unseen;
	return unseen >
	       atomic_load(&forgiven_ns) + slack + (now - process_base_ns) / 50;
}

/*
 * In the handler and at reports. Does nothing when another thread is at it.
 *
 * Nobody looks while only threads run that we do not know; their time is then
 * named at the end. A timer on the process's clock would find them, but its
 * signal is the process's: a thread that blocks signals at that moment (as our
 * own handlers do) passes it on to one that sleeps, whose system call ends with
 * EINTR: measured in 2 of 2000 waits.
 */
static void look_for_unseen(void)
{
	uint64_t unseen;

	if (!too_much_unseen(&unseen) || !registry_try_lock())
		return;
	scan(false);
	sweep();
	atomic_store(&forgiven_ns, unseen);
	registry_unlock();
}

/* --- the handler ---------------------------------------------------------- */

/* Whose timer was it? NULL: it is gone. */
static struct counted_thread *owner_of(const siginfo_t *info)
{
	uint64_t value = (uintptr_t)info->si_value.sival_ptr;
	struct counted_thread *t = registry_at((uint32_t)value);

	if (!t || atomic_load(&t->generation) != value >> 32 ||
		atomic_load(&t->timer) != info->si_timerid)
		return NULL;
	return t;
}

static void book(struct counted_thread *t, uint64_t periods)
{
	atomic_fetch_add(&t->recorded, periods);
	atomic_fetch_add(&covered_ns, periods * process.cpu_period_ns);
}

/* A scan finds threads of any kind: ask once. */
static bool has_tls(struct counted_thread *t)
{
	if (pp_likely(atomic_load(&t->has_tls)))
		return true;
	if (!glibc_thread_here())
		return false;
	atomic_store(&t->has_tls, true);
	return true;
}

static void make_session(void *unused)
{
	(void)unused;
	(void)process_session();
}

/* Making one takes 5 KiB of stack; the host's alternate stack may have 8, of
 * which the kernel has used up 3 before we start. */
static bool have_session(void)
{
	if (!process_session_peek())
		own_stack_run(make_session, NULL);
	return process_session_peek() != NULL;
}

/*
 * Behind the fork gate: see process.handlers. While another thread is making
 * the session nothing is booked, so nothing is lost either: what is not booked
 * is still due when the thread ends.
 */
static void expired(siginfo_t *info, const ucontext_t *uc)
{
	unsigned overrun = (unsigned)PP_MAX(info->si_overrun, 0);
	struct counted_thread *t = owner_of(info);
	bool foreign = t && !has_tls(t);

	if (t && (foreign ? process_session_peek() != NULL : have_session())) {
		book(t, 1 + (uint64_t)overrun);
		sample_cpu(uc, overrun, foreign);
	}
	if (atomic_fetch_add(&samples_seen, 1) % CHECK_EVERY == 0)
		look_for_unseen();
}

void timers_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	/* Anything else than our timers has no meaning to anybody. */
	if (info->si_code != SI_TIMER || !process_records(PROFILE_CPU) ||
		process_generation() == 0)
		return;
	atomic_fetch_add(&process.handlers, 1);
	/* Nothing is lost behind a closed gate, for the same reason. */
	if (!atomic_load(&process.gate_closed))
		expired(info, context);
	atomic_fetch_sub(&process.handlers, 1);
}

/* --- beginning and ending ------------------------------------------------- */

/*
 * Whoever has the registry locked waits for nobody. All the same: these run in
 * handlers, where the program may hold any lock of its own, so they go on
 * without rather than wait for ever.
 */
#define REGISTRY_PATIENCE_NS UINT64_C(500000000)

static bool lock_or_count(void)
{
	bool locked = registry_lock_for(REGISTRY_PATIENCE_NS);

	if (!locked)
		process_count(STAT_LOST_REGISTRY, 1);
	return locked;
}

void timers_init(int sig)
{
	timer_signal = sig;
	glibc_thread_start();
}

static void move_locked(int sig)
{
	uint32_t n = registry_size();

	timer_signal = sig;
	for (uint32_t i = 1; i <= n; i++) {
		struct counted_thread *t = registry_at(i);

		if (!atomic_load(&t->tid) || !t->first_ns)
			continue;
		delete_timer(atomic_exchange(&t->timer, -1));
		set_going(t, thread_clock_ns(atomic_load(&t->tid)));
	}
}

void timers_move(int sig)
{
	sys_sigset old;

	sys_block_signals(&old);
	if (lock_or_count()) {
		move_locked(sig);
		registry_unlock();
	}
	sys_restore_signals(&old);
}

static void begin_locked(enum timers_from from)
{
	struct thread_state *self = thread_state_get();
	struct counted_thread *t;
	uint64_t now;

	process_base_ns = from == TIMERS_FROM_BIRTH
				  ? 0
				  : sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	atomic_store(&covered_ns, 0);
	atomic_store(&forgiven_ns, 0);
	if (self)
		atomic_store(&phase, thread_random(self));
	atomic_store(&counting, true);
	if (from == TIMERS_ALL_NOW) {
		scan(true);
	} else if (self) {
		t = registry_find(self->tid);
		if (!t)
			t = registry_add(self->tid);
		now = thread_clock_ns(self->tid);
		if (t)
			atomic_store(&t->has_tls, true);
		if (t)
			arm(t, from == TIMERS_FROM_BIRTH ? 0 : now, now);
	}
}

void timers_begin(enum timers_from from)
{
	sys_sigset old;

	sys_block_signals(&old);
	if (lock_or_count()) {
		if (!atomic_load(&counting))
			begin_locked(from);
		registry_unlock();
	}
	sys_restore_signals(&old);
}

static void charge_unseen(uint64_t process_ns)
{
	uint64_t unseen = unseen_ns(process_ns), period = process.cpu_period_ns;

	if (unseen <= (process_ns - process_base_ns) / 50)
		return;
	/* Rounded at random, so that the sum over many processes is right. */
	charge(FRAME_UNSEEN, 0, (unseen + random_below(period)) / period, NULL);
}

static void end_locked(void)
{
	/* Read first: threads run on while their accounts are settled. */
	uint64_t process_ns = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint32_t n = registry_size();

	for (uint32_t i = 1; i <= n; i++) {
		struct counted_thread *t = registry_at(i);

		if (atomic_load(&t->tid))
			settle(t);
	}
	charge_unseen(process_ns);
	atomic_store(&counting, false);
}

void timers_end(void)
{
	sys_sigset old;

	sys_block_signals(&old);
	if (lock_or_count()) {
		if (atomic_load(&counting))
			end_locked();
		registry_unlock();
	}
	sys_restore_signals(&old);
}

void timers_thread_begin(uint64_t start_pc)
{
	struct thread_state *self = thread_state_get();
	struct counted_thread *t;
	sys_sigset old;

	if (!self)
		return;
	sys_block_signals(&old);
	registry_lock();
	t = registry_find(self->tid);
	if (t) {
		/* A vanished thread had this tid, or a scan was faster. */
		(void)disarm(t);
		registry_remove(t);
	}
	t = registry_add(self->tid);
	if (t) {
		t->start_pc = start_pc;
		atomic_store(&t->has_tls, true);
		if (atomic_load(&counting))
			arm(t, 0, thread_clock_ns(self->tid));
	}
	registry_unlock();
	sys_restore_signals(&old);
}

void timers_thread_end(void)
{
	struct thread_state *self = thread_state_get();
	struct counted_thread *t;
	uint64_t rest = 0, start_pc = 0;
	sys_sigset old;

	if (!self)
		return;
	sys_block_signals(&old);
	registry_lock();
	t = registry_find(self->tid);
	if (t) {
		start_pc = t->start_pc;
		rest = disarm(t);
		registry_remove(t);
	}
	registry_unlock();
	charge(FRAME_THREAD_END, start_pc, rest, NULL);
	sys_restore_signals(&old);
}

static void pause_locked(struct counted_thread *t, bool pause)
{
	if (t->paused == pause)
		return;
	t->paused = pause;
	if (!t->first_ns) /* is not being counted now */
		return;
	if (pause)
		delete_timer(atomic_exchange(&t->timer, -1));
	else
		set_going(t, thread_clock_ns(atomic_load(&t->tid)));
}

void timers_thread_pause(bool pause)
{
	uint32_t tid = (uint32_t)sys_gettid();
	struct counted_thread *t;
	sys_sigset old;

	sys_block_signals(&old);
	if (lock_or_count()) {
		t = registry_find(tid);
		if (!t && pause)
			t = registry_add(tid);
		if (t)
			pause_locked(t, pause);
		registry_unlock();
	}
	sys_restore_signals(&old);
}

void timers_look(void)
{
	sys_sigset old;

	if (!atomic_load(&counting))
		return;
	sys_block_signals(&old);
	look_for_unseen();
	sys_restore_signals(&old);
}

void timers_helper_begin(void)
{
	uint32_t tid = (uint32_t)sys_gettid(), nobody;

	for (unsigned i = 0; i < MOST_HELPERS; i++) {
		nobody = 0;
		if (atomic_compare_exchange_strong(&helpers[i], &nobody, tid))
			return;
	}
}

void timers_helper_end(void)
{
	uint32_t tid = (uint32_t)sys_gettid(), me;

	if (atomic_load(&counting))
		atomic_fetch_add(&covered_ns, thread_clock_ns(tid));
	for (unsigned i = 0; i < MOST_HELPERS; i++) {
		me = tid;
		if (atomic_compare_exchange_strong(&helpers[i], &me, 0))
			return;
	}
}

void timers_forget(void)
{
	registry_reset();
	atomic_store(&counting, false);
	for (unsigned i = 0; i < MOST_HELPERS; i++)
		atomic_store(&helpers[i], 0);
}
