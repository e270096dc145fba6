/*
 * flush.c - see flush.h. Context: PP_ANY.
 */
#include "pp.h"

#include <stdatomic.h>

#include "flush.h"
#include "helper.h"
#include "lock.h"
#include "log.h"
#include "process.h"
#include "reports.h"
#include "sys.h"

static _Atomic uint32_t told_to_stop;
static _Atomic uint32_t running;
static uint64_t next_ns; /* survives a restart: the rhythm stays */

static bool stopped_before(uint64_t when)
{
	uint64_t now;

	while (!atomic_load(&told_to_stop)) {
		now = sys_clock_ns(CLOCK_MONOTONIC);
		if (now >= when)
			return false;
		futex_wait(&told_to_stop, 0, when - now);
	}
	return true;
}

/* CPU profiles of windows are written when those close. */
static uint32_t kinds(void)
{
	uint32_t all = process.settings.profiles;

	return process.settings.toggle_signal ? all & ~PROFILE_BIT(PROFILE_CPU)
					      : all;
}

static void loop(void *unused)
{
	uint64_t interval = process.settings.interval_s * UINT64_C(1000000000);

	(void)unused;
	while (!stopped_before(next_ns)) {
		reports_write(kinds(), REPORT_INTERVAL, NULL);
		next_ns += interval;
	}
	atomic_store(&running, 0);
	futex_wake_all(&running);
}

void flush_start(void)
{
	uint64_t interval = process.settings.interval_s * UINT64_C(1000000000);
	int err;

	if (!interval || atomic_exchange(&running, 1))
		return;
	if (!next_ns)
		next_ns = sys_clock_ns(CLOCK_MONOTONIC) + interval;
	atomic_store(&told_to_stop, 0);
	err = helper_run(loop, NULL);
	if (err) {
		atomic_store(&running, 0);
		log_line("cannot start the thread for PPROFC_INTERVAL "
			 "(error %d)",
			-err);
	}
}

void flush_stop(void)
{
	uint64_t end, now;

	if (!atomic_load(&running))
		return;
	atomic_store(&told_to_stop, 1);
	futex_wake_all(&told_to_stop);
	end = sys_clock_ns(CLOCK_MONOTONIC) + REPORTS_PATIENCE_NS;
	while (atomic_load(&running)) {
		now = sys_clock_ns(CLOCK_MONOTONIC);
		if (now >= end)
			return;
		futex_wait(&running, 1, end - now);
	}
}

void flush_reset(void)
{
	atomic_store(&running, 0);
	next_ns = 0;
}
