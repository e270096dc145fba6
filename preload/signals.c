/*
 * signals.c - dispositions and masks as the host shall see them.
 *
 * A signal we use has our handler in the kernel exactly while the host has it
 * at its default action, and the host is told so: it reads SIG_DFL. Whatever
 * else the host sets is installed as it is and means what it always means. So
 * there is no second table of handlers to keep in step: "our handler" in the
 * kernel and "default" in the host's eyes are one state.
 *
 * The timers' signal never gets blocked: its bit is dropped from masks, as libc
 * does for its own two.
 *
 * A vfork child has its parent's memory but dispositions of its own: there
 * everything goes straight to the kernel.
 *
 * Context: PP_ANY but for the two functions of signal_hooks.h.
 */
#include "pp.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "lifecycle.h"
#include "log.h"
#include "process.h"
#include "real.h"
#include "reporter.h"
#include "signal_hooks.h"
#include "sys.h"
#include "timers.h"

/* libc's other names of the same functions; some are in no header. */
int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);
sighandler_t bsd_signal(int sig, sighandler_t handler);
sighandler_t ssignal(int sig, sighandler_t handler);
sighandler_t sysv_signal(int sig, sighandler_t handler);
sighandler_t __sysv_signal(int sig, sighandler_t handler);
extern int __libc_allocate_rtsig(int high) __attribute__((weak));

#define SIGNALS 65

typedef void handler_fn(int sig, siginfo_t *info, void *context);

/* What we use a signal for; NULL = not at all. Written by the constructor. */
static handler_fn *ours[SIGNALS];
static _Atomic int timer_signal;

/* The host's SIG_DFL has flags and a mask, too, and gets them back. */
static struct {
	_Atomic int flags;
	_Atomic uint64_t mask;
} host_default[SIGNALS];

static handler_fn *use_of(int sig)
{
	return sig > 0 && sig < SIGNALS ? ours[sig] : NULL;
}

/* --- our handlers --------------------------------------------------------- */

/* What the kernel takes. */
struct kernel_sigaction {
	uint64_t handler, flags, restorer;
	sys_sigset mask;
};

/* Let the signal have its default action, as if we had never been there: with
 * the same siginfo, so that a tracer or core dump shows its true sender. */
static void default_action(int sig, siginfo_t *info)
{
	static const struct kernel_sigaction by_default;
	sys_sigset bit = SYS_SIG_BIT(sig);

	(void)sys_call4(SYS_rt_sigaction, sig, &by_default, NULL, sizeof(bit));
	(void)sys_call4(
		SYS_rt_tgsigqueueinfo, sys_getpid(), sys_gettid(), sig, info);
	(void)sys_sigmask(SIG_UNBLOCK, &bit, NULL);
}

static void on_end(int sig, siginfo_t *info, void *context)
{
	(void)context;
	lifecycle_finish();
	default_action(sig, info);
}

static void on_dump(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (lifecycle_is_ours())
		reporter_request(REPORTER_DUMP);
	else
		default_action(sig, info);
}

static void on_toggle(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (lifecycle_is_ours())
		reporter_request(REPORTER_TOGGLE);
	else
		default_action(sig, info);
}

static int install(int sig, handler_fn *handler, struct sigaction *old)
{
	struct sigaction act = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
	};

	(void)sigfillset(&act.sa_mask);
	return real.sigaction(sig, &act, old);
}

/* --- the host changes a disposition --------------------------------------- */

static uint64_t first_word(const sigset_t *set)
{
	return set->__val[0];
}

static bool has_timer_signal(const sigset_t *set)
{
	int sig = atomic_load_explicit(&timer_signal, memory_order_relaxed);

	return sig && (first_word(set) & SYS_SIG_BIT(sig));
}

static void drop_timer_signal(sigset_t *set)
{
	set->__val[0] &= ~SYS_SIG_BIT(atomic_load(&timer_signal));
}

/* The host wants the very number that libc had reserved for us: it can have it.
 */
static PP_ENTER_NORMAL void give_up_timer_signal(int sig)
{
	int next;

	ours[sig] = NULL;
	next = signal_hooks_reserve();
	if (next) {
		/* Not blocked anywhere from here on; where it has been, CPU
		 * time is settled at the end. */
		timers_move(next);
		log_line("the program uses signal %d; CPU timers use %d now",
			sig, next);
		return;
	}
	atomic_fetch_and(&process.enabled, ~PROFILE_BIT(PROFILE_CPU));
	log_line("the program uses signal %d and no other is free: the CPU "
		 "profile ends here",
		sig);
}

static void note_host_handler(int sig)
{
	static _Atomic bool noted[SIGNALS];

	if ((ours[sig] == on_dump || ours[sig] == on_toggle) &&
		!atomic_exchange(&noted[sig], true))
		log_line("the program handles signal %d itself: it asks for no "
			 "profile",
			sig);
}

static void remember_default(int sig, const struct sigaction *act)
{
	atomic_store(&host_default[sig].flags, act->sa_flags);
	atomic_store(&host_default[sig].mask, first_word(&act->sa_mask));
}

/* What the host reads of a disposition that was ours: its own default. */
static void show_default(int sig, struct sigaction *old)
{
	memset(&old->sa_mask, 0, sizeof(old->sa_mask));
	old->sa_handler = SIG_DFL;
	old->sa_flags = atomic_load(&host_default[sig].flags);
	old->sa_mask.__val[0] = atomic_load(&host_default[sig].mask);
}

/* The kernel names one of our handlers, as sa_handler or sa_sigaction. */
static bool is_ours(sighandler_t handler)
{
	uintptr_t p = (uintptr_t)handler;

	return p == (uintptr_t)on_end || p == (uintptr_t)on_dump ||
	       p == (uintptr_t)on_toggle || p == (uintptr_t)timers_handler;
}

/* act is a default action for a signal of ours. */
static int set_default(
	int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction before;
	int err = install(sig, ours[sig], &before);

	if (old && err == 0) {
		*old = before;
		if (is_ours(before.sa_handler))
			show_default(sig, old);
	}
	remember_default(sig, act);
	return err;
}

static int change(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction copy, before;

	if (act && has_timer_signal(&act->sa_mask)) {
		copy = *act;
		drop_timer_signal(&copy.sa_mask);
		act = &copy;
	}
	if (!use_of(sig))
		return real.sigaction(sig, act, old);
	if (act && act->sa_handler == SIG_DFL && lifecycle_is_ours())
		return set_default(sig, act, old);
	if (act && lifecycle_is_ours()) {
		if (sig == atomic_load(&timer_signal))
			give_up_timer_signal(sig);
		else
			note_host_handler(sig);
	}
	if (real.sigaction(sig, act, &before) != 0)
		return -1;
	if (old) {
		*old = before;
		if (is_ours(before.sa_handler))
			show_default(sig, old);
	}
	return 0;
}

PP_EXPORT int sigaction(
	int sig, const struct sigaction *act, struct sigaction *old)
{
	return change(sig, act, old);
}

PP_EXPORT int __sigaction(
	int sig, const struct sigaction *act, struct sigaction *old)
{
	return change(sig, act, old);
}

/*
 * signal() and its relatives differ in flags and masks, so libc's own does the
 * work. When it sets the default action, ours goes in behind it.
 */
static sighandler_t after(int sig, sighandler_t handler, sighandler_t before)
{
	struct sigaction now;

	if (before == SIG_ERR)
		return before;
	if (handler == SIG_DFL && lifecycle_is_ours() &&
		real.sigaction(sig, NULL, &now) == 0 &&
		now.sa_handler == SIG_DFL)
		(void)set_default(sig, &now, NULL);
	return is_ours(before) ? SIG_DFL : before;
}

static void before_signal(int sig, sighandler_t handler)
{
	if (!use_of(sig) || handler == SIG_DFL || !lifecycle_is_ours())
		return;
	if (sig == atomic_load(&timer_signal))
		give_up_timer_signal(sig);
	else
		note_host_handler(sig);
}

static sighandler_t bsd(int sig, sighandler_t handler)
{
	if (!use_of(sig))
		return real.signal(sig, handler);
	before_signal(sig, handler);
	return after(sig, handler, real.signal(sig, handler));
}

static sighandler_t sysv(int sig, sighandler_t handler)
{
	if (!use_of(sig))
		return real.sysv_signal(sig, handler);
	before_signal(sig, handler);
	return after(sig, handler, real.sysv_signal(sig, handler));
}

PP_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	return bsd(sig, handler);
}

PP_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
	return bsd(sig, handler);
}

PP_EXPORT sighandler_t ssignal(int sig, sighandler_t handler)
{
	return bsd(sig, handler);
}

PP_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
	return sysv(sig, handler);
}

PP_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
	return sysv(sig, handler);
}

PP_EXPORT sighandler_t sigset(int sig, sighandler_t handler)
{
	if (!use_of(sig))
		return real.sigset(sig, handler);
	if (handler != SIG_HOLD)
		before_signal(sig, handler);
	return after(sig, handler, real.sigset(sig, handler));
}

/* --- masks ---------------------------------------------------------------- */

PP_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t without;

	if (!set || how == SIG_UNBLOCK || !has_timer_signal(set))
		return real.sigprocmask(how, set, old);
	without = *set;
	drop_timer_signal(&without);
	return real.sigprocmask(how, &without, old);
}

PP_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t without;

	if (!set || how == SIG_UNBLOCK || !has_timer_signal(set))
		return real.pthread_sigmask(how, set, old);
	without = *set;
	drop_timer_signal(&without);
	return real.pthread_sigmask(how, &without, old);
}

/* --- start ---------------------------------------------------------------- */

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

	if (!sig || install(sig, timers_handler, NULL) != 0)
		return 0;
	ours[sig] = timers_handler;
	atomic_store(&timer_signal, sig);
	/* Whoever started us may have blocked every signal there is. */
	bit = SYS_SIG_BIT(sig);
	(void)sys_sigmask(SIG_UNBLOCK, &bit, NULL);
	return sig;
}

/* What was inherited as ignored (nohup), or is handled already, stays so. */
static void take_over(int sig, handler_fn *handler)
{
	struct sigaction now;

	if (sig <= 0 || sig >= SIGNALS || ours[sig] ||
		real.sigaction(sig, NULL, &now) != 0)
		return;
	ours[sig] = handler;
	if (now.sa_handler == SIG_DFL)
		(void)set_default(sig, &now, NULL);
	else
		note_host_handler(sig);
}

void signal_hooks_start(void)
{
	take_over(process.settings.dump_signal, on_dump);
	take_over(process.settings.toggle_signal, on_toggle);
	/* Nothing ends process 1 by default. */
	if (process.settings.profiles == 0 || process.pid == 1)
		return;
	take_over(SIGTERM, on_end);
	take_over(SIGINT, on_end);
	take_over(SIGHUP, on_end);
}
