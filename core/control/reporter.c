/*
 * reporter.c - see reporter.h. Context: PP_ANY.
 *
 * `busy` is the right to serve. Both sides store before they look (sequentially
 * consistent): a requester adds to `pending` and then tries for busy; the
 * server drops busy and then looks at pending again. So one of the two sees the
 * other. The same holds between `held` and busy.
 */
#include "pp.h"

#include <stdatomic.h>

#include "helper.h"
#include "lifecycle.h"
#include "lock.h"
#include "own_stack.h"
#include "reporter.h"
#include "reports.h"
#include "sys.h"
#include "window.h"

static _Atomic uint32_t pending[REPORTER_REQUESTS];
static _Atomic uint32_t asked; /* mask of kinds, of session_asking */
static _Atomic uint32_t busy, held;

static bool anything_pending(void)
{
	return atomic_load(&asked) || atomic_load(&pending[REPORTER_DUMP]) ||
	       atomic_load(&pending[REPORTER_TOGGLE]);
}

void reporter_serve_pending(void)
{
	while (anything_pending()) {
		uint32_t dumps = atomic_exchange(&pending[REPORTER_DUMP], 0);
		uint32_t toggles = atomic_exchange(
			&pending[REPORTER_TOGGLE], 0);
		uint32_t kinds = atomic_exchange(&asked, 0);

		if (kinds)
			reports_answer(kinds);
		if (dumps)
			reports_write(PROFILE_DUMPED, REPORT_SIGNAL, NULL);
		while (toggles--)
			window_toggle();
	}
}

static bool become_busy(void)
{
	uint32_t idle = 0;

	if (!atomic_compare_exchange_strong(&busy, &idle, 1))
		return false;
	if (!atomic_load(&held))
		return true;
	atomic_store(&busy, 0);
	futex_wake_all(&busy);
	return false;
}

/* With busy taken. */
static void serve(void *unused)
{
	(void)unused;
	do {
		reporter_serve_pending();
		atomic_store(&busy, 0);
		futex_wake_all(&busy);
	} while (anything_pending() && become_busy());
}

static void start(void)
{
	if (!anything_pending() || !become_busy())
		return;
	if (helper_run(serve, NULL) != 0)
		own_stack_run(serve, NULL);
}

void reporter_request(enum reporter_request what)
{
	atomic_fetch_add(&pending[what], 1);
	start();
}

void reporter_ask(uint32_t kinds)
{
	if (!lifecycle_is_ours())
		return;
	atomic_fetch_or(&asked, kinds);
	start();
}

void reporter_hold(void)
{
	uint64_t end = sys_clock_ns(CLOCK_MONOTONIC) + REPORTS_PATIENCE_NS;
	uint64_t now;

	atomic_fetch_add(&held, 1);
	while (atomic_load(&busy)) {
		now = sys_clock_ns(CLOCK_MONOTONIC);
		if (now >= end)
			return;
		futex_wait(&busy, 1, end - now);
	}
}

void reporter_release(void)
{
	sys_sigset old;

	if (atomic_fetch_sub(&held, 1) != 1)
		return;
	sys_block_signals(&old);
	start();
	sys_restore_signals(&old);
}

void reporter_reset(void)
{
	for (unsigned i = 0; i < REPORTER_REQUESTS; i++)
		atomic_store(&pending[i], 0);
	atomic_store(&asked, 0);
	atomic_store(&busy, 0);
	atomic_store(&held, 0);
}
