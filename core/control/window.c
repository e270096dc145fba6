/*
 * window.c - see window.h. Context: PP_ANY.
 */
#include "pp.h"

#include "log.h"
#include "process.h"
#include "reports.h"
#include "sys.h"
#include "timers.h"
#include "window.h"

bool window_is_open(void)
{
	return process.settings.toggle_signal && process_records(PROFILE_CPU);
}

static void window_open(void)
{
	struct session *s = process_session();

	if (!s) {
		log_line("no memory for a CPU profile: it stays off");
		return;
	}
	s->cpu_window_start_ns = sys_clock_ns(CLOCK_REALTIME);
	atomic_fetch_or(&process.enabled, PROFILE_BIT(PROFILE_CPU));
	timers_begin(TIMERS_ALL_NOW);
	log_line("CPU profile started");
}

void window_close(void)
{
	struct session *s = process_session_peek();

	if (!window_is_open())
		return;
	timers_end();
	atomic_fetch_and(&process.enabled, ~PROFILE_BIT(PROFILE_CPU));
	reports_write(PROFILE_BIT(PROFILE_CPU), REPORT_WINDOW, NULL);
	if (s)
		s->cpu_window_start_ns = 0;
	log_line("CPU profile stopped");
}

void window_write(void)
{
	struct session *s = process_session_peek();
	uint64_t now;

	if (!window_is_open() || !s)
		return;
	timers_settle();
	now = sys_clock_ns(CLOCK_REALTIME);
	reports_write(PROFILE_BIT(PROFILE_CPU), REPORT_WINDOW, NULL);
	s->cpu_window_start_ns = now;
}

void window_toggle(void)
{
	if (!(process.settings.profiles & PROFILE_BIT(PROFILE_CPU)))
		log_line("no CPU profile is being made");
	else if (window_is_open())
		window_close();
	else
		window_open();
}
