/*
 * lifecycle_end.c - the final profiles: once, by whoever really ends, unless an
 * exec fails.
 *
 * Context: PP_ANY. Locking: `phase`, a futex word.
 */
#include "pp.h"

#include <stdatomic.h>

#include "flush.h"
#include "lifecycle_priv.h"
#include "lock.h"
#include "process.h"
#include "reporter.h"
#include "reports.h"
#include "sys.h"
#include "timers.h"
#include "window.h"

/*
 * FINISHING: a thread is writing the final profiles, or taking them back.
 * FINISHED: they are written. DYING: so they are, and a signal is about to end
 * the process. EXECUTING: they are written for an exec that may still fail; the
 * word counts on for each further thread that is in an exec. Recording goes on.
 * An end that comes meanwhile takes them as they are: written anew, they might
 * be neither there nor here when the exec succeeds in the middle of it.
 */
enum phase { RUNNING, FINISHING, FINISHED, DYING, EXECUTING };

static _Atomic uint32_t phase;
static const struct live_copy *live_at_exit;

bool lifecycle_goes_on(void)
{
	return atomic_load(&phase) == RUNNING;
}

void lifecycle_forget_end(void)
{
	atomic_store(&phase, RUNNING);
	atomic_store(&process.closed, 0);
	live_at_exit = NULL;
}

void lifecycle_copy_live(void)
{
	struct session *s = process_session_peek();

	if (lifecycle_is_ours() && s &&
		(process.settings.profiles & PROFILE_HEAP_FAMILY) &&
		atomic_load(&phase) == RUNNING)
		live_at_exit = report_copy_live(s);
}

/* From here on nothing is recorded that no report would show. */
static void stop_recording(void)
{
	atomic_store(&process.enabled, 0);
	atomic_store(&process.closed, 1);
}

/* The next image would leave behind the file of a session made from now on. */
static void make_no_session(void)
{
	if (process_session_peek())
		return;
	atomic_store(&process.closed, 1);
	process_await_session(PROCESS_END_PATIENCE_NS);
	if (process_session_peek())
		atomic_store(&process.closed, 0);
}

static void bring_to_now(bool goes_on)
{
	if (process.settings.toggle_signal) {
		if (goes_on)
			window_write();
		else
			window_close();
	} else if (lifecycle_wants(PROFILE_CPU)) {
		if (goes_on)
			timers_settle();
		else
			timers_end();
	}
}

/* Little stack: what needs more (reports, a new session) changes to its own. */
static void finish(bool may_go_on)
{
	struct session *s;
	uint32_t kinds = process.settings.profiles;

	reporter_hold();
	flush_stop();
	reporter_serve_pending();
	bring_to_now(may_go_on);
	if (process.settings.toggle_signal)
		kinds &= ~PROFILE_BIT(PROFILE_CPU);
	if (may_go_on)
		make_no_session();
	else
		stop_recording();
	reports_write(kinds, REPORT_EXIT, live_at_exit);
	s = process_session_peek();
	if (s) {
		atomic_store(&s->state, SESSION_FINAL);
		session_unlink(s);
	}
}

static bool enter(uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(&phase, &from, to);
}

/* All signals are blocked: a signal that ends the process would wait here for
 * the thread it has interrupted. */
static bool finish_if_running(uint32_t after)
{
	sys_sigset old;
	bool mine;

	sys_block_signals(&old);
	mine = enter(RUNNING, FINISHING);
	if (mine) {
		if (after == EXECUTING)
			reports_before_exec();
		finish(after == EXECUTING);
		atomic_store(&phase, after);
		futex_wake_all(&phase);
	}
	sys_restore_signals(&old);
	return mine;
}

/* The phase when nobody is writing any more, or after two seconds. */
static uint32_t settled_phase(uint64_t end)
{
	uint32_t now_in;
	uint64_t now;

	while ((now_in = atomic_load(&phase)) == FINISHING || now_in == DYING) {
		now = sys_clock_ns(CLOCK_MONOTONIC);
		if (now >= end)
			break;
		futex_wait(&phase, now_in, end - now);
	}
	return now_in;
}

static bool has_an_end(void)
{
	return lifecycle_is_ours() && process.settings.profiles != 0;
}

static uint64_t end_of_patience(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC) + REPORTS_PATIENCE_NS;
}

static void finish_into(enum phase after)
{
	uint64_t end;
	uint32_t now_in;
	bool done = false;

	if (!has_an_end()) /* nor a system call: sandbox.h */
		return;
	for (end = end_of_patience(); !done;) {
		now_in = settled_phase(end);
		if (now_in == RUNNING)
			done = finish_if_running(after);
		else
			done = now_in < EXECUTING || enter(now_in, after);
	}
	stop_recording(); /* if it was for an exec, it has gone on */
}

void lifecycle_finish(void)
{
	finish_into(FINISHED);
}

void lifecycle_die(void)
{
	finish_into(DYING);
}

/* --- exec ----------------------------------------------------------------- */

static bool exec_begins(void)
{
	uint64_t end = has_an_end() ? end_of_patience() : 0;

	while (has_an_end()) {
		uint32_t now_in = settled_phase(end);

		if (now_in == RUNNING) {
			if (finish_if_running(EXECUTING))
				return true;
		} else if (now_in < EXECUTING) {
			return false;
		} else if (enter(now_in, now_in + 1)) {
			return true;
		}
	}
	return false;
}

/* The thread that executes has no timer meanwhile, whose signal might be
 * pending when the next image starts. */
bool lifecycle_exec_begin(void)
{
	bool begins = exec_begins();

	if (begins)
		(void)lifecycle_untimely(UNTIMELY_EXEC, true);
	return begins;
}

/* With FINISHING entered. */
static void resume(void)
{
	struct session *s = process_session_peek();

	reports_withdraw();
	if (s) {
		atomic_store(&s->written_kinds, 0);
		atomic_store(&s->state, SESSION_READY);
	}
	atomic_store(&process.closed, 0);
	atomic_store(&phase, RUNNING);
	futex_wake_all(&phase);
	reporter_release();
	if (lifecycle_goes_on())
		flush_start();
}

/* Of one thread; of the last one, unless the process is ending meanwhile. */
static void leave_exec(void)
{
	uint32_t now_in;

	while ((now_in = atomic_load(&phase)) >= EXECUTING) {
		if (now_in > EXECUTING) {
			if (enter(now_in, now_in - 1))
				return;
		} else if (enter(EXECUTING, FINISHING)) {
			resume();
			return;
		}
	}
}

void lifecycle_exec_failed(void)
{
	sys_sigset old;

	if (!lifecycle_is_ours())
		return;
	sys_block_signals(&old);
	(void)lifecycle_untimely(UNTIMELY_EXEC, false);
	leave_exec();
	sys_restore_signals(&old);
}
