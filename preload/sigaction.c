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

#define SA_RESTORER 0x04000000 /* the kernel's */

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
	host.sa_flags |= SA_RESTORER; /* libc's; act and old may be one */
	remember(sig, &host);
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
	if (interruptions_set(sig, &kernels, &before) != 0)
		return -1;
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

/* What siginterrupt() has asked signal() for. */
static _Atomic uint64_t interrupts;

static bool is_valid(int sig)
{
	return sig > 0 && sig < SIGNALS;
}

static bool is_interrupting(int sig)
{
	return (atomic_load(&interrupts) & SYS_SIG_BIT(sig)) != 0;
}

/* The disposition before, as the host knows it; SIG_ERR with errno. */
static sighandler_t exchange(
	int sig, sighandler_t handler, int flags, uint64_t mask)
{
	struct sigaction act = { .sa_flags = flags }, old;

	act.sa_handler = handler;
	act.sa_mask.__val[0] = mask;
	return change(sig, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}

/* libc's own: it says what is wrong, and in a process that is not ours it does
 * the work. */
static sighandler_t shown(sighandler_t before)
{
	return signal_is_ours(before) ? SIG_DFL : before;
}

static bool is_libcs(int sig, sighandler_t handler)
{
	return !is_valid(sig) || handler == SIG_ERR || !lifecycle_is_ours();
}

static sighandler_t bsd(int sig, sighandler_t handler)
{
	if (is_libcs(sig, handler))
		return shown(real.signal(sig, handler));
	return exchange(sig, handler, is_interrupting(sig) ? 0 : SA_RESTART,
		SYS_SIG_BIT(sig));
}

static sighandler_t sysv(int sig, sighandler_t handler)
{
	if (is_libcs(sig, handler))
		return shown(real.sysv_signal(sig, handler));
	return exchange(sig, handler, (int)SA_RESETHAND | SA_NODEFER, 0);
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

/* Unblocks the signal as well, and says whether it was blocked. SIG_HOLD only
 * blocks it. */
PP_EXPORT sighandler_t sigset(int sig, sighandler_t handler)
{
	sys_sigset bit, blocked;
	sighandler_t before;

	if (is_libcs(sig, handler) || handler == SIG_HOLD)
		return shown(real.sigset(sig, handler));
	before = exchange(sig, handler, 0, 0);
	bit = SYS_SIG_BIT(sig);
	if (before == SIG_ERR || sys_sigmask(SIG_UNBLOCK, &bit, &blocked) != 0)
		return SIG_ERR;
	return blocked & bit ? SIG_HOLD : before;
}

PP_EXPORT int siginterrupt(int sig, int interrupt)
{
	struct sigaction now;

	if (!is_valid(sig) || !lifecycle_is_ours())
		return real.siginterrupt(sig, interrupt);
	if (change(sig, NULL, &now) != 0)
		return -1;
	if (interrupt) {
		atomic_fetch_or(&interrupts, SYS_SIG_BIT(sig));
		now.sa_flags &= ~SA_RESTART;
	} else {
		atomic_fetch_and(&interrupts, ~SYS_SIG_BIT(sig));
		now.sa_flags |= SA_RESTART;
	}
	return change(sig, &now, NULL);
}
