/*
 * lifecycle.c - see lifecycle.h: all but the ends, which are lifecycle_end.c's.
 *
 * Context: as in the header. Locking: none; forks are counted by
 * process.gate_closed.
 */
#include "pp.h"

#include <stdatomic.h>
#include <sys/auxv.h>

#include "created.h"
#include "flush.h"
#include "helper.h"
#include "lifecycle_priv.h"
#include "log.h"
#include "memo.h"
#include "process.h"
#include "reporter.h"
#include "reports.h"
#include "symbolizer.h"
#include "sys.h"
#include "thread_state.h"
#include "threads.h"
#include "timers.h"
#include "unwind_libunwind.h"
#include "user_labels.h"
#include "waits.h"
#include "window.h"

bool lifecycle_is_ours(void)
{
	return process_generation() != 0 &&
	       (uint32_t)sys_getpid() == process.pid;
}

/* --- start ---------------------------------------------------------------- */

void lifecycle_begin_recording(enum timers_from from)
{
	uint32_t kinds = process.settings.profiles;

	if (process.settings.toggle_signal)
		kinds &= ~PROFILE_BIT(PROFILE_CPU);
	atomic_store(&process.enabled, kinds);
	if (process_records(PROFILE_CPU))
		timers_begin(from);
}

/*
 * The main thread's stack: up to the random bytes that the kernel put above the
 * first frame; down to what is sure to be its own, whatever the limit is.
 */
#define MAIN_STACK_SURE (1u << 20)

static void note_main_stack(void)
{
	uint64_t top = getauxval(AT_RANDOM) & ~UINT64_C(15);
	const struct thread_state *self = thread_state_get();

	if (!self || self->tid != process.pid || top <= MAIN_STACK_SURE)
		return;
	thread_state.stack_lo = top - MAIN_STACK_SURE;
	thread_state.stack_hi = top;
}

void lifecycle_start(int timer_signal)
{
	if (process.settings.cpu_hz)
		process.cpu_period_ns = 1000000000u / process.settings.cpu_hz;
	note_main_stack();
	helper_init();
	timers_init(timer_signal);
	lifecycle_begin_recording(TIMERS_FROM_NOW);
	if (created_wanted())
		created_main(process_session());
	flush_start();
}

/* --- threads -------------------------------------------------------------- */

/*
 * Between these bounds the unwinder reads without probing, so they must be
 * mapped for as long as the thread lives. glibc puts the thread's control block
 * at the upper end of its stack; the guard and what lies above the control
 * block are left out generously.
 */
#define STACK_MARGIN (64u * 1024)

static void note_stack(size_t stack_bytes)
{
	uint64_t top = (uint64_t)(uintptr_t)arch_thread_pointer();

	if (stack_bytes <= 2 * STACK_MARGIN)
		return;
	thread_state.stack_lo = top - stack_bytes + STACK_MARGIN;
	thread_state.stack_hi = top;
}

void lifecycle_thread_begin(uint64_t start_pc, size_t stack_bytes)
{
	note_stack(stack_bytes);
	if (lifecycle_wants(PROFILE_CPU))
		timers_thread_begin(start_pc);
}

void lifecycle_thread_end(void)
{
	struct session *s = process_session_peek();

	if (process_generation() != 0) /* else no system calls: sandbox.h */
		memo_end_thread(&thread_state);
	waits_thread_end();
	if (lifecycle_wants(PROFILE_CPU))
		timers_thread_end();
	user_labels_thread_end();
	/* Before the generation test: the slot of a forked child's parent. */
	if (s && thread_state.generation == process_generation() &&
		thread_state.slot) {
		threads_release(s, thread_state.slot);
		thread_state.slot = 0;
	}
}

static __thread uint32_t untimely __attribute__((tls_model("initial-exec")));

bool lifecycle_untimely(enum untimely why, bool is)
{
	uint32_t was = untimely;

	untimely = is ? was | why : was & ~(uint32_t)why;
	if (!was != !untimely && lifecycle_wants(PROFILE_CPU))
		timers_thread_pause(untimely != 0);
	return (was & why) != 0;
}

/* --- fork ----------------------------------------------------------------- */

/*
 * Nothing is locked across the real fork: libc takes the locks of malloc and
 * stdio in there, and whoever has one of those may wait for one of ours (in a
 * hook, or in a handler that interrupted it). The child starts afresh, whatever
 * state other threads had left things in.
 *
 * A helper may be writing a report meanwhile. The child has neither the thread
 * nor its memory (MADV_DONTFORK), and need not wait for it.
 */
#define GATE_PATIENCE_NS UINT64_C(4000000)

/* The forking thread's. */
static __thread sys_sigset mask_before_fork
	__attribute__((tls_model("initial-exec")));
static __thread bool fork_prepared __attribute__((tls_model("initial-exec")));

static __thread bool walks_held __attribute__((tls_model("initial-exec")));

/*
 * A sample that another thread is just taking would be half in the child: what
 * the unwinder remembers, and who may write that; or a lock inside libunwind.
 * Not worth waiting long for. Gates count: forks of several threads may meet
 * here.
 */
static void close_gate(void)
{
	uint64_t end = sys_clock_ns(CLOCK_MONOTONIC) + GATE_PATIENCE_NS;

	atomic_fetch_add(&process.gate_closed, 1);
	for (;;) {
		if (!walks_held)
			walks_held = unwind_libunwind_try_hold();
		if (walks_held && atomic_load(&process.handlers) == 0)
			return;
		if (sys_clock_ns(CLOCK_MONOTONIC) >= end)
			return;
		(void)sys_call0(SYS_sched_yield);
	}
}

static void allow_walks(void)
{
	if (walks_held)
		unwind_libunwind_release();
	walks_held = false;
}

void lifecycle_fork_prepare(void)
{
	fork_prepared = lifecycle_is_ours();
	if (!fork_prepared)
		return;
	sys_block_signals(&mask_before_fork);
	close_gate();
}

void lifecycle_fork_parent(void)
{
	if (!fork_prepared)
		return;
	atomic_fetch_sub(&process.gate_closed, 1);
	allow_walks();
	sys_restore_signals(&mask_before_fork);
}

void lifecycle_fork_child(void)
{
	bool window = window_is_open();

	if (!fork_prepared)
		return;
	(void)process_reborn();
	allow_walks();
	lifecycle_forget_end();
	timers_forget();
	/* Ends at a fork; and who executes is the parent. */
	untimely &= ~(uint32_t)(UNTIMELY_DISPATCH | UNTIMELY_EXEC);
	if (untimely && lifecycle_wants(PROFILE_CPU))
		timers_thread_pause(true);
	reporter_reset();
	reports_reset();
	flush_reset();
	lifecycle_begin_recording(TIMERS_FROM_BIRTH);
	if (window) {
		atomic_fetch_or(&process.enabled, PROFILE_BIT(PROFILE_CPU));
		timers_begin(TIMERS_FROM_BIRTH);
	}
	flush_start();
	sys_restore_signals(&mask_before_fork);
}

/* --- sandboxes ------------------------------------------------------------ */

static bool finished_to_withdraw;

uint32_t lifecycle_withdraw(void)
{
	uint32_t image = process_generation();

	if (!lifecycle_is_ours())
		return 0;
	log_line("the program gives up system calls: its profiles end here");
	finished_to_withdraw = lifecycle_exec_begin();
	if (process_records(PROFILE_CPU))
		timers_end();
	close_gate();
	atomic_store(&process_wiped.generation, 0);
	return image;
}

void lifecycle_return(uint32_t image)
{
	atomic_store(&process_wiped.generation, image);
	atomic_fetch_sub(&process.gate_closed, 1);
	allow_walks();
	if (process_records(PROFILE_CPU))
		timers_begin(TIMERS_ALL_NOW);
	if (finished_to_withdraw)
		lifecycle_exec_failed();
}

/* --- credentials ---------------------------------------------------------- */

uint32_t lifecycle_creds_begin(uint32_t user)
{
	struct session *s;

	if (!lifecycle_is_ours())
		return 0;
	reporter_hold();
	flush_stop();
	symbolizer_end_kept();
	s = process_session_peek();
	/* Who root becomes cannot remove root's file, and must not own it: it
	 * stays mapped here. It goes without its name. */
	if (s && user != UINT32_MAX && user != 0 && sys_call0(SYS_geteuid) == 0)
		session_unlink(s);
	return process_generation();
}

void lifecycle_creds_end(uint32_t image)
{
	if (image == 0 || image != process_generation() || !lifecycle_is_ours())
		return;
	reporter_release();
	if (lifecycle_goes_on())
		flush_start();
}
