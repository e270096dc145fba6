/*
 * masks.c - the timers' signal in the sets of signals that the host passes.
 *
 * It never gets blocked, waited for or shown: its bit is dropped from a set on
 * its way to the kernel, as libc does for its own two signals. A set without
 * the bit, which is nearly every one, goes on as it is.
 *
 * What a child is started with (posix_spawnattr_setsigmask, setsigdefault) is
 * left alone: it has no timer, and sees what its parent gave it.
 *
 * Context: PP_ANY. errno is the real function's.
 */
#include "pp.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "patient.h"
#include "real.h"
#include "signal_uses.h"
#include "wait_hooks.h"
#include "waits.h"

/* Not in the headers of every libc that has them, or in none. */
int __sigsuspend(const sigset_t *set);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *set, size_t bytes);
int epoll_pwait2(int fd, struct epoll_event *events, int most,
	const struct timespec *timeout, const sigset_t *set);
int pthread_attr_setsigmask_np(pthread_attr_t *attr, const sigset_t *set);

/* An address the kernel would refuse is for the kernel to refuse. */
#define LOWEST_ADDRESS 4096u
#define USER_ADDRESSES (UINT64_C(1) << 47)

static inline bool has_timers(const sigset_t *set)
{
	return (uintptr_t)set - LOWEST_ADDRESS <
		       USER_ADDRESSES - 2 * LOWEST_ADDRESS &&
	       (set->__val[0] & signal_timer_bit());
}

/* The kernel reads one word, and the host's set may be no larger. */
static const sigset_t *without_timers(const sigset_t *set, sigset_t *ret)
{
	*ret = (sigset_t){ { set->__val[0] & ~signal_timer_bit() } };
	return ret;
}

/* --- the thread's mask ---------------------------------------------------- */

PP_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t less;

	if (how == SIG_UNBLOCK || !has_timers(set))
		return real.sigprocmask(how, set, old);
	return real.sigprocmask(how, without_timers(set, &less), old);
}

PP_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t less;

	if (how == SIG_UNBLOCK || !has_timers(set))
		return real.pthread_sigmask(how, set, old);
	return real.pthread_sigmask(how, without_timers(set, &less), old);
}

PP_EXPORT int sighold(int sig)
{
	return sig && sig == signal_of_timers() ? 0 : real.sighold(sig);
}

PP_EXPORT int pthread_attr_setsigmask_np(
	pthread_attr_t *attr, const sigset_t *set)
{
	sigset_t less;

	if (!real.pthread_attr_setsigmask_np)
		return ENOSYS;
	if (!has_timers(set))
		return real.pthread_attr_setsigmask_np(attr, set);
	return real.pthread_attr_setsigmask_np(
		attr, without_timers(set, &less));
}

/* --- masks while waiting -------------------------------------------------- */

PP_EXPORT int sigsuspend(const sigset_t *set)
{
	struct interrupted since = interruptions_here();
	sigset_t less;
	int result;

	if (has_timers(set))
		set = without_timers(set, &less);
	do
		result = real.sigsuspend(set);
	while (errno == EINTR && patient_again(&since));
	return result;
}

PP_EXPORT int __sigsuspend(const sigset_t *set)
{
	return sigsuspend(set);
}

PP_EXPORT int pause(void)
{
	struct interrupted since = interruptions_here();
	int result;

	do
		result = real.pause();
	while (errno == EINTR && patient_again(&since));
	return result;
}

PP_EXPORT int ppoll(struct pollfd *fds, nfds_t n,
	const struct timespec *timeout, const sigset_t *set)
{
	sigset_t less;

	if (!has_timers(set))
		return way.ppoll(fds, n, timeout, set);
	return way.ppoll(fds, n, timeout, without_timers(set, &less));
}

PP_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n,
	const struct timespec *timeout, const sigset_t *set, size_t bytes)
{
	sigset_t less;

	if (!has_timers(set))
		return way.__ppoll_chk(fds, n, timeout, set, bytes);
	return way.__ppoll_chk(
		fds, n, timeout, without_timers(set, &less), bytes);
}

PP_EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *e,
	const struct timespec *timeout, const sigset_t *set)
{
	sigset_t less;

	if (!has_timers(set))
		return way.pselect(n, r, w, e, timeout, set);
	return way.pselect(n, r, w, e, timeout, without_timers(set, &less));
}

PP_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int most,
	int timeout, const sigset_t *set)
{
	sigset_t less;

	if (!has_timers(set))
		return way.epoll_pwait(fd, events, most, timeout, set);
	return way.epoll_pwait(
		fd, events, most, timeout, without_timers(set, &less));
}

static int real_epoll_pwait2(int fd, struct epoll_event *events, int most,
	const struct timespec *timeout, const sigset_t *set)
{
	if (real.epoll_pwait2)
		return real.epoll_pwait2(fd, events, most, timeout, set);
	return (int)syscall(SYS_epoll_pwait2, fd, events, most, timeout, set,
		sizeof(uint64_t));
}

static int epoll_pwait2_less(int fd, struct epoll_event *events, int most,
	const struct timespec *timeout, const sigset_t *set)
{
	struct patience p;
	int result;

	patience_begin(&p, timeout != NULL);
	do
		result = real_epoll_pwait2(fd, events, most, timeout, set);
	while (result == -1 && errno == EINTR && patient_until(&p, &timeout));
	return result;
}

static PP_NOINLINE int epoll_pwait2_waiting(int fd, struct epoll_event *events,
	int most, const struct timespec *timeout, const sigset_t *set)
{
	struct wait w;
	int result;

	wait_begin(&w, WAIT_POLL, NULL);
	result = epoll_pwait2_less(fd, events, most, timeout, set);
	wait_end(&w, true);
	return result;
}

PP_EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int most,
	const struct timespec *timeout, const sigset_t *set)
{
	sigset_t less;

	if (has_timers(set))
		set = without_timers(set, &less);
	if (way.epoll_pwait == wait_epoll_pwait)
		return epoll_pwait2_waiting(fd, events, most, timeout, set);
	return epoll_pwait2_less(fd, events, most, timeout, set);
}

/* --- signals taken without a handler -------------------------------------- */

PP_EXPORT int sigwait(const sigset_t *set, int *ret_sig)
{
	sigset_t less;

	if (!has_timers(set))
		return real.sigwait(set, ret_sig);
	return real.sigwait(without_timers(set, &less), ret_sig);
}

PP_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *ret_info)
{
	struct interrupted since = interruptions_here();
	sigset_t less;
	int result;

	if (has_timers(set))
		set = without_timers(set, &less);
	do
		result = real.sigwaitinfo(set, ret_info);
	while (result == -1 && errno == EINTR && patient_again(&since));
	return result;
}

PP_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *ret_info,
	const struct timespec *timeout)
{
	struct patience p;
	sigset_t less;
	int result;

	if (has_timers(set))
		set = without_timers(set, &less);
	patience_begin(&p, timeout != NULL);
	do
		result = real.sigtimedwait(set, ret_info, timeout);
	while (result == -1 && errno == EINTR && patient_until(&p, &timeout));
	return result;
}

PP_EXPORT int signalfd(int fd, const sigset_t *set, int flags)
{
	sigset_t less;

	if (!has_timers(set))
		return real.signalfd(fd, set, flags);
	return real.signalfd(fd, without_timers(set, &less), flags);
}

/* Pending it is where a handler on an alternate stack runs: see sigaction.c. */
PP_EXPORT int sigpending(sigset_t *ret_set)
{
	int ret = real.sigpending(ret_set);

	if (ret == 0)
		ret_set->__val[0] &= ~signal_timer_bit();
	return ret;
}
