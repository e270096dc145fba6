/*
 * signals.c - the signals we use, and what happens when they come.
 *
 * A vfork child has its parent's memory but dispositions and a pid of its own:
 * our handlers, which it inherits, do nothing there but let the default happen.
 *
 * Context: PP_ANY but for the functions of signal_hooks.h.
 */
#include "pp.h"

#include <stdatomic.h>
#include <ucontext.h>

#include "interruptions.h"
#include "lifecycle.h"
#include "log.h"
#include "process.h"
#include "real.h"
#include "reporter.h"
#include "signal_hooks.h"
#include "signal_uses.h"
#include "sys.h"
#include "timers.h"

extern int __libc_allocate_rtsig(int high) __attribute__((weak));

/* NULL = not used. Written by the constructor, and when a signal is claimed. */
static _Atomic(signal_handler_fn *) uses[SIGNALS];
static _Atomic int timer_signal;

signal_handler_fn *signal_use(int sig)
{
	return sig > 0 && sig < SIGNALS
		       ? atomic_load_explicit(&uses[sig], memory_order_relaxed)
		       : NULL;
}

int signal_of_timers(void)
{
	return atomic_load_explicit(&timer_signal, memory_order_relaxed);
}

/* --- handlers ------------------------------------------------------------- */

/* Will the same fault come again when the handler returns? */
static bool happens_again(int sig, const siginfo_t *info)
{
	if (info->si_code <= 0 || info->si_code == SI_KERNEL)
		return false;
	return sig == SIGSEGV || sig == SIGILL || sig == SIGFPE ||
	       (sig == SIGBUS && info->si_code != BUS_MCEERR_AO);
}

/*
 * Let the signal have its default action as if we had never been there, on
 * return from the handler: there a core dump finds the program where it was. A
 * fault happens again; any other signal is sent again with the same siginfo,
 * which is what a tracer or a core dump shows.
 */
static void default_action(int sig, siginfo_t *info, void *context)
{
	static const struct signal_kernels by_default;
	ucontext_t *uc = context;
	int pid = sys_getpid(), tid = sys_gettid();

	(void)sys_call4(
		SYS_rt_sigaction, sig, &by_default, NULL, sizeof(sys_sigset));
	if (happens_again(sig, info))
		return;
	if (sys_call4(SYS_rt_tgsigqueueinfo, pid, tid, sig, info) != 0)
		(void)sys_call3(SYS_tgkill, pid, tid, sig);
	/* It came in spite of the mask that is restored: in a sigsuspend. */
	uc->uc_sigmask.__val[0] &= ~SYS_SIG_BIT(sig);
}

/*
 * All signals are blocked meanwhile: the kernel ends the program at once when
 * the report itself faults, and other threads' signals wait in lifecycle_die.
 */
static void on_end(int sig, siginfo_t *info, void *context)
{
	struct session *s = process_session_peek();

	if (s && lifecycle_is_ours())
		atomic_store(&s->ending_signal, (uint32_t)sig);
	lifecycle_die();
	default_action(sig, info, context);
}

static void on_dump(int sig, siginfo_t *info, void *context)
{
	interruptions_count(context);
	if (lifecycle_is_ours())
		reporter_request(REPORTER_DUMP);
	else
		default_action(sig, info, context);
}

static void on_toggle(int sig, siginfo_t *info, void *context)
{
	interruptions_count(context);
	if (lifecycle_is_ours())
		reporter_request(REPORTER_TOGGLE);
	else
		default_action(sig, info, context);
}

static void on_timer(int sig, siginfo_t *info, void *context)
{
	interruptions_count(context);
	timers_handler(sig, info, context);
}

bool signal_is_ours(sighandler_t handler)
{
	uintptr_t p = (uintptr_t)handler;

	return p == (uintptr_t)on_end || p == (uintptr_t)on_dump ||
	       p == (uintptr_t)on_toggle || p == (uintptr_t)on_timer;
}

static bool asks(int sig)
{
	signal_handler_fn *use = signal_use(sig);

	return use == on_dump || use == on_toggle || use == on_timer;
}

uint64_t signal_askers(void)
{
	uint64_t set = 0;

	for (int sig = 1; sig < SIGNALS; sig++) {
		if (asks(sig))
			set |= SYS_SIG_BIT(sig);
	}
	return set;
}

int signal_install(int sig, struct sigaction *old)
{
	struct sigaction act = {
		.sa_sigaction = signal_use(sig),
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
	};

	(void)sigfillset(&act.sa_mask);
	return real.sigaction(sig, &act, old);
}

/* --- the timers' signal --------------------------------------------------- */

/* The next real-time signal from above that the host does not handle yet. */
static int reserve_free(void)
{
	struct sigaction now;
	int sig;

	do {
		sig = __libc_allocate_rtsig ? __libc_allocate_rtsig(0) : -1;
		if (sig <= 0 || sig >= SIGNALS ||
			real.sigaction(sig, NULL, &now) != 0)
			return 0;
	} while (now.sa_handler != SIG_DFL);
	return sig;
}

int signal_hooks_reserve(void)
{
	int sig = reserve_free();
	sys_sigset bit;

	if (!sig)
		return 0;
	atomic_store(&uses[sig], on_timer);
	if (signal_install(sig, NULL) != 0)
		return 0;
	atomic_store(&timer_signal, sig);
	/* Whoever started us may have blocked every signal there is. */
	bit = SYS_SIG_BIT(sig);
	(void)sys_sigmask(SIG_UNBLOCK, &bit, NULL);
	return sig;
}

/* The host wants the very number that libc had reserved for us: it can have it.
 * Where the new one has been blocked, CPU time is settled at the end. */
static void give_up_timer_signal(int sig)
{
	int next;

	atomic_store(&uses[sig], NULL);
	next = signal_hooks_reserve();
	/* 0: no timer can be had. */
	atomic_store(&timer_signal, next);
	timers_move(next);
	if (next)
		log_line("the program uses signal %d; CPU timers use %d now",
			sig, next);
	else
		log_line("the program uses signal %d and no other is free: "
			 "from now on CPU time is in [thread end]",
			sig);
}

void signal_claimed(int sig)
{
	static _Atomic bool noted[SIGNALS];

	if (sig == signal_of_timers())
		give_up_timer_signal(sig);
	else if (asks(sig) && !atomic_exchange(&noted[sig], true))
		log_line("the program handles signal %d itself: it asks for no "
			 "profile",
			sig);
}

/* --- start ---------------------------------------------------------------- */

extern char __libc_single_threaded __attribute__((weak)); /* glibc 2.32 */

/* What was inherited as ignored (nohup), or is handled already, stays so. With
 * signals blocked and no other thread nobody sees ours in between. */
static void take_over(int sig, signal_handler_fn *handler)
{
	bool unseen = &__libc_single_threaded && __libc_single_threaded;
	struct sigaction now = { .sa_handler = SIG_DFL };

	if (sig <= 0 || sig >= SIGNALS || signal_use(sig) ||
		(!unseen && real.sigaction(sig, NULL, &now) != 0))
		return;
	atomic_store(&uses[sig], handler);
	if (now.sa_handler == SIG_DFL && sigaction_take(sig, &now) != 0)
		atomic_store(&uses[sig], NULL);
	else if (now.sa_handler != SIG_DFL)
		signal_claimed(sig);
}

/* Not here: SIGPROF, which is nobody's but the host's; SIGIO, SIGPWR, SIGSTKFLT
 * and the real-time signals, by which no program means to end. */
static const uint8_t ends[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT,
	SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPIPE, SIGXCPU, SIGXFSZ,
	SIGTRAP, SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

static void take_over_all(void)
{
	take_over(process.settings.dump_signal, on_dump);
	take_over(process.settings.toggle_signal, on_toggle);
	/* Nothing ends process 1 by default. */
	if (process.settings.profiles == 0 || process.pid == 1)
		return;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		take_over(ends[i], on_end);
}

void signal_hooks_start(void)
{
	sys_sigset old;

	sys_block_signals(&old);
	take_over_all();
	for (int sig = 1; sig < SIGNALS && !interruptions_start(sig); sig++)
		;
	sys_restore_signals(&old);
}

/* --- away and back -------------------------------------------------------- */

/* Where ours is in the kernel, the host reads that it has the default. */
static bool has_default(int sig, struct sigaction *ret_hosts)
{
	return signal_use(sig) && sig != signal_of_timers() &&
	       sigaction(sig, NULL, ret_hosts) == 0 &&
	       ret_hosts->sa_handler == SIG_DFL;
}

void signal_hooks_withdraw(void)
{
	struct sigaction hosts;

	for (int sig = 1; sig < SIGNALS; sig++) {
		if (has_default(sig, &hosts))
			(void)real.sigaction(sig, &hosts, NULL);
	}
}

void signal_hooks_return(void)
{
	struct sigaction hosts;

	for (int sig = 1; sig < SIGNALS; sig++) {
		if (has_default(sig, &hosts))
			(void)sigaction_set_default(sig, &hosts, NULL);
	}
}
