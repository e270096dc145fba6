/*
 * sigaction.c - dispositions as the host shall see them.
 *
 * A signal we use has our handler in the kernel exactly while the host has it
 * at its default action, and the host is told so: it reads SIG_DFL. Whatever
 * else the host sets is installed and means what it always means. So there is
 * no second table of handlers to keep in step: "our handler" in the kernel and
 * "default" in the host's eyes are one state.
 *
 * A handler's mask differs in two ways. The timers' signal never gets blocked
 * (see masks.c). But a handler that runs on an
 * alternate stack has the signals that ask us for something in its mask: the
 * kernel's frames of two signals do not fit into 8 KiB, which is what such
 * stacks have. What the host reads back are its own masks.
 *
 * A vfork child has its parent's memory but dispositions of its own: there
 * everything goes straight to the kernel.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <signal.h>
#include <stdatomic.h>

#include "interruptions.h"
#include "lifecycle.h"
#include "real.h"
#include "signal_uses.h"
#include "sys.h"

/* libc's other names of the same functions; some are in no header. */
int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);
sighandler_t bsd_signal(int sig, sighandler_t handler);
sighandler_t ssignal(int sig, sighandler_t handler);
sighandler_t sysv_signal(int sig, sighandler_t handler);
sighandler_t __sysv_signal(int sig, sighandler_t handler);

/* What the host gave last: its mask, and the flags of its SIG_DFL. */
static struct {
	_Atomic uint64_t mask;
	_Atomic int flags;
} given[SIGNALS];

/* --- masks ---------------------------------------------------------------- */

/* The mask that the kernel gets for a handler. */
static uint64_t kernel_mask(uint64_t host, const struct sigaction *act)
{
	host &= ~signal_timer_bit();
	if ((act->sa_flags & SA_ONSTACK) && act->sa_handler != SIG_DFL &&
		act->sa_handler != SIG_IGN)
		host |= signal_askers();
	return host;
}

/* The kernel's idea of a disposition, as the host has set it. */
static void show(
	int sig, const struct sigaction *kernels, struct sigaction *ret)
{
	uint64_t mine = atomic_load(&given[sig].mask);

	*ret = *kernels;
	interruptions_hide(ret);
	if (signal_is_ours(ret->sa_handler)) {
		ret->sa_handler = SIG_DFL;
		ret->sa_flags = atomic_load(&given[sig].flags);
		(void)sigemptyset(&ret->sa_mask);
		ret->sa_mask.__val[0] = mine;
	} else if (kernel_mask(mine, ret) == ret->sa_mask.__val[0]) {
		ret->sa_mask.__val[0] = mine;
	}
}

static void remember(int sig, const struct sigaction *act)
{
	atomic_store(&given[sig].mask, act->sa_mask.__val[0]);
	atomic_store(&given[sig].flags, act->sa_flags);
}

/* --- sigaction ------------------------------------------------------------ */

int sigaction_set_default(
	int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction host = *act, before;

	if (signal_install(sig, &before) != 0)
		return -1;
	if (old)
		show(sig, &before, old);
	remember(sig, &host); /* act and old may be one */
	return 0;
}

int sigaction_take(int sig, struct sigaction *ret_before)
{
	if (signal_install(sig, ret_before) != 0)
		return -1;
	if (ret_before->sa_handler == SIG_DFL)
		remember(sig, ret_before);
	else
		(void)real.sigaction(sig, ret_before, NULL);
	return 0;
}

static int set(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction host = *act, kernels = *act, before;

	if (signal_use(sig) && act->sa_handler == SIG_DFL)
		return sigaction_set_default(sig, act, old);
	if (signal_use(sig))
		signal_claimed(sig);
	kernels.sa_mask.__val[0] = kernel_mask(host.sa_mask.__val[0], act);
	if (real.sigaction(sig, &kernels, &before) != 0)
		return -1;
	interruptions_watch(sig);
	if (old)
		show(sig, &before, old);
	remember(sig, &host);
	return 0;
}

static int change(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction before;

	if (sig <= 0 || sig >= SIGNALS)
		return real.sigaction(sig, act, old);
	if (act && lifecycle_is_ours())
		return set(sig, act, old);
	if (real.sigaction(sig, act, old ? &before : NULL) != 0)
		return -1;
	if (old)
		show(sig, &before, old);
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

/* --- signal and its relatives --------------------------------------------- */

/*
 * They differ in flags and masks, so libc's own does the work. When it sets the
 * default action, ours goes in behind it.
 */
static sighandler_t after(int sig, sighandler_t handler, sighandler_t before)
{
	struct sigaction now;

	if (before == SIG_ERR || !lifecycle_is_ours() ||
		real.sigaction(sig, NULL, &now) != 0)
		return signal_is_ours(before) ? SIG_DFL : before;
	if (handler == SIG_DFL && now.sa_handler == SIG_DFL && signal_use(sig))
		(void)sigaction_set_default(sig, &now, NULL);
	else if (!signal_is_ours(now.sa_handler))
		remember(sig, &now);
	interruptions_watch(sig);
	return signal_is_ours(before) ? SIG_DFL : before;
}

static void claim(int sig, sighandler_t handler)
{
	if (signal_use(sig) && handler != SIG_DFL && handler != SIG_HOLD &&
		lifecycle_is_ours())
		signal_claimed(sig);
}

static sighandler_t bsd(int sig, sighandler_t handler)
{
	claim(sig, handler);
	return after(sig, handler, real.signal(sig, handler));
}

static sighandler_t sysv(int sig, sighandler_t handler)
{
	claim(sig, handler);
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
	claim(sig, handler);
	return after(sig, handler, real.sigset(sig, handler));
}

/*
 * libc's own reads the disposition, changes a flag and sets it again, and keeps
 * the wish for signal(). Ours in the kernel stays as it is; the flag is noted.
 */
PP_EXPORT int siginterrupt(int sig, int interrupt)
{
	int ret = real.siginterrupt(sig, interrupt);
	struct sigaction now;

	if (ret == 0)
		interruptions_watch(sig);
	if (ret != 0 || !signal_use(sig) || !lifecycle_is_ours() ||
		real.sigaction(sig, NULL, &now) != 0 ||
		!signal_is_ours(now.sa_handler))
		return ret;
	(void)signal_install(sig, NULL);
	if (interrupt)
		atomic_fetch_and(&given[sig].flags, ~SA_RESTART);
	else
		atomic_fetch_or(&given[sig].flags, SA_RESTART);
	return ret;
}
