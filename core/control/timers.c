/*
 * timers.c - when the counting of threads begins and ends: see timers.h.
 *
 * The accounts are account.c, what is left in them at an end residual.c,
 * threads nobody announced unseen.c, the handler tick.c.
 *
 * Context: PP_ANY. Locking: takes the registry's lock itself.
 */
#include "pp.h"

#include <stdatomic.h>

#include "account.h"
#include "glibc_thread.h"
#include "process.h"
#include "registry.h"
#include "residual.h"
#include "sys.h"
#include "thread_state.h"
#include "timers.h"
#include "unseen.h"

static _Atomic bool counting;

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

/* The same signal, sent by another process, asks for profiles. */
static void note_signal(int sig)
{
	struct session *s = process_session_peek();

	atomic_store(&process.asking_signal, sig);
	if (s)
		atomic_store(&s->asking.signal, sig);
}

void timers_init(int sig)
{
	note_signal(sig);
	account_init(sig);
	glibc_thread_start();
}

void timers_move(int sig)
{
	sys_sigset old;

	note_signal(sig);
	sys_block_signals(&old);
	if (lock_or_count()) {
		account_move(sig);
		registry_unlock();
	}
	sys_restore_signals(&old);
}

static struct counted_thread *find_or_add(uint32_t tid)
{
	struct counted_thread *t = registry_find(tid);

	return t ? t : registry_add(tid);
}

static void begin_locked(enum timers_from from)
{
	struct thread_state *self = thread_state_get();
	struct counted_thread *t;
	uint64_t now;

	unseen_begin(from == TIMERS_FROM_BIRTH
			     ? 0
			     : sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID));
	account_reset();
	atomic_store(&counting, true);
	if (from == TIMERS_ALL_NOW) {
		unseen_scan(true);
		return;
	}
	t = self ? find_or_add(self->tid) : NULL;
	if (!t)
		return;
	now = account_clock_ns(self->tid);
	atomic_store(&t->has_tls, true);
	account_open(t, from == TIMERS_FROM_BIRTH ? 0 : now, now);
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

static void each_account(void (*fn)(struct counted_thread *t))
{
	uint32_t n = registry_size();

	for (uint32_t i = 1; i <= n; i++) {
		struct counted_thread *t = registry_at(i);

		if (atomic_load(&t->tid))
			fn(t);
	}
}

/*
 * An expiry that a handler is at belongs to neither side: not booked, it is due
 * and would be counted twice; booked, its sample may not have been recorded,
 * and be lost when nothing is any more. Handlers that come later find that
 * their timers are gone: they add to process.handlers and look at the timer,
 * this is the other way round (both sequentially consistent).
 *
 * Handlers wait for nobody, but may have no processor. One that has not come
 * back by then costs at most one expiry of its thread.
 */
#define HANDLERS_PATIENCE_NS UINT64_C(100000000)
#define HANDLERS_YIELDS 20u

static void await_handlers(void)
{
	static const struct timespec shortly = { 0, 100000 };
	uint64_t end = 0, now;

	for (unsigned i = 0; atomic_load(&process.handlers) != 0; i++) {
		now = sys_clock_ns(CLOCK_MONOTONIC);
		if (!end)
			end = now + HANDLERS_PATIENCE_NS;
		if (now >= end)
			return;
		if (i < HANDLERS_YIELDS)
			(void)sys_call0(SYS_sched_yield);
		else
			(void)sys_call2(SYS_nanosleep, &shortly, NULL);
	}
}

static void close_account(struct counted_thread *t)
{
	residual_settle(t, false);
}

static void settle_account(struct counted_thread *t)
{
	residual_settle(t, true);
}

static void settle_locked(bool goes_on)
{
	uint64_t process_ns;

	each_account(account_stop);
	await_handlers();
	/* Read first: threads run on while their accounts are settled. */
	process_ns = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	each_account(goes_on ? settle_account : close_account);
	unseen_charge(process_ns);
	if (goes_on)
		each_account(account_go_on);
	else
		atomic_store(&counting, false);
}

static void settle(bool goes_on)
{
	sys_sigset old;

	/* Rather than with the registry locked. */
	process_await_session(PROCESS_END_PATIENCE_NS);
	sys_block_signals(&old);
	if (lock_or_count()) {
		if (atomic_load(&counting))
			settle_locked(goes_on);
		registry_unlock();
	}
	sys_restore_signals(&old);
}

void timers_settle(void)
{
	settle(true);
}

void timers_end(void)
{
	settle(false);
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
		(void)account_close(t);
		registry_remove(t);
	}
	t = registry_add(self->tid);
	if (t) {
		t->start_pc = start_pc;
		atomic_store(&t->has_tls, true);
		if (atomic_load(&counting))
			account_open(t, 0, account_clock_ns(self->tid));
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
		rest = account_close(t);
		registry_remove(t);
	}
	registry_unlock();
	residual_charge(FRAME_THREAD_END, start_pc, rest, NULL);
	sys_restore_signals(&old);
}

void timers_thread_postpone(void)
{
	struct counted_thread *t;
	sys_sigset old;

	sys_block_signals(&old);
	if (lock_or_count()) {
		t = registry_find((uint32_t)sys_gettid());
		if (t)
			account_postpone(t);
		registry_unlock();
	}
	sys_restore_signals(&old);
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
			account_pause(t, pause);
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
	unseen_look();
	sys_restore_signals(&old);
}

void timers_forget(void)
{
	registry_reset();
	atomic_store(&counting, false);
	unseen_forget_helpers();
}
