/*
 * dispositions.c - every signal's disposition, set and read in every way.
 *
 * dispositions WAY        the calls that set one
 * dispositions uses_WAY   the program uses SIGUSR2 itself, in this way: all of
 *                         its signals arrive, and are no request of ours
 * BUILD: -pthread
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include "hostile.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define SENT 50

sighandler_t bsd_signal(int sig, sighandler_t handler);

static volatile sig_atomic_t caught;

static void count(int sig)
{
	(void)sig;
	caught++;
}

static void nothing(int sig)
{
	(void)sig;
}

/* Those that a program can set: not libc's own two, nor what lies above. */
static int next_signal(int sig)
{
	do
		sig++;
	while (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33);
	return sig <= SIGRTMAX ? sig : 0;
}

static void must_be(int sig, sighandler_t handler, int flags)
{
	struct sigaction now;

	MUST(sigaction(sig, NULL, &now) == 0);
	MUST(now.sa_handler == handler);
	MUST((now.sa_flags & ~0x04000000) == flags); /* SA_RESTORER */
}

static bool is_empty(const sigset_t *set)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sigismember(set, sig))
			return false;
	return true;
}

static void one_sigaction(int sig)
{
	struct sigaction act = { .sa_handler = count,
		.sa_flags = SA_RESTART | SA_NODEFER };
	struct sigaction by_default = { .sa_handler = SIG_DFL }, old;

	sigaddset(&act.sa_mask, SIGHUP);
	MUST(sigaction(sig, &act, &old) == 0);
	MUST(old.sa_handler == SIG_DFL && is_empty(&old.sa_mask));
	MUST(old.sa_flags == 0);
	must_be(sig, count, SA_RESTART | SA_NODEFER);
	caught = 0;
	raise(sig);
	MUST(caught == 1);
	MUST(sigaction(sig, &by_default, &old) == 0);
	MUST(old.sa_handler == count && sigismember(&old.sa_mask, SIGHUP));
	must_be(sig, SIG_DFL, 0);
	act.sa_flags = SA_RESETHAND;
	MUST(sigaction(sig, &act, NULL) == 0);
	raise(sig);
	MUST(caught == 2);
	must_be(sig, SIG_DFL, SA_RESETHAND);
	MUST(sigaction(sig, &by_default, NULL) == 0);
}

static void one_by(int sig, sighandler_t (*set)(int, sighandler_t), int flags)
{
	MUST(set(sig, count) == SIG_DFL);
	must_be(sig, count, flags);
	caught = 0;
	raise(sig);
	MUST(caught == 1);
	if (flags & SA_RESETHAND)
		MUST(set(sig, nothing) == SIG_DFL);
	else
		MUST(set(sig, nothing) == count);
	MUST(set(sig, SIG_IGN) == nothing);
	raise(sig);
	MUST(set(sig, SIG_DFL) == SIG_IGN);
	MUST(set(sig, SIG_DFL) == SIG_DFL);
	must_be(sig, SIG_DFL, flags);
}

static void one_signal(int sig)
{
	one_by(sig, signal, SA_RESTART);
}

static void one_bsd_signal(int sig)
{
	one_by(sig, bsd_signal, SA_RESTART);
}

static void one_sysv_signal(int sig)
{
	one_by(sig, sysv_signal, (int)SA_RESETHAND | SA_NODEFER);
}

static void one_sigset(int sig)
{
	sigset_t mask;

	one_by(sig, sigset, 0);
	MUST(sigset(sig, SIG_HOLD) == SIG_DFL);
	MUST(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
	MUST(sigismember(&mask, sig));
	MUST(sigset(sig, count) == SIG_HOLD);
	MUST(sigset(sig, SIG_DFL) == count);
}

static void one_siginterrupt(int sig)
{
	MUST(signal(sig, count) == SIG_DFL);
	MUST(siginterrupt(sig, 1) == 0);
	must_be(sig, count, 0);
	MUST(siginterrupt(sig, 0) == 0);
	must_be(sig, count, SA_RESTART);
	MUST(signal(sig, SIG_DFL) == count);
	MUST(siginterrupt(sig, 1) == 0);
	must_be(sig, SIG_DFL, 0);
}

/* What is at its default again means what it means: see the profile. */
static void each(void (*one)(int sig))
{
	hold();
	for (int sig = next_signal(0); sig; sig = next_signal(sig))
		one(sig);
	burn(30);
	raise(SIGTERM);
}

#define EACH(name)                  \
	static void by_##name(void) \
	{                           \
		each(one_##name);   \
	}

EACH(sigaction)
EACH(signal)
EACH(bsd_signal)
EACH(sysv_signal)
EACH(sigset)
EACH(siginterrupt)

/* --- the signal that asks for a profile, used by the program -------------- */

/* One at a time: only one of a kind can be pending. */
static void send_each(int (*take)(void))
{
	for (int i = 0; i < SENT; i++) {
		MUST(kill(getpid(), SIGUSR2) == 0);
		if (take)
			MUST(take() == SIGUSR2);
		churn(10);
	}
}

static void handled(sighandler_t (*set)(int, sighandler_t))
{
	hold();
	MUST(set(SIGUSR2, count) == SIG_DFL);
	send_each(NULL);
	MUST(caught == SENT);
	MUST(set(SIGUSR2, SIG_IGN) == count);
	send_each(NULL);
	MUST(caught == SENT);
	burn(30);
}

static sighandler_t with_sigaction(int sig, sighandler_t handler)
{
	struct sigaction act = { .sa_handler = handler }, old;

	MUST(sigaction(sig, &act, &old) == 0);
	return old.sa_handler;
}

static void uses_sigaction(void)
{
	handled(with_sigaction);
}

static void uses_signal(void)
{
	handled(signal);
}

static void uses_sigset(void)
{
	handled(sigset);
}

static sigset_t just_it(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return set;
}

static int take_sigwait(void)
{
	sigset_t set = just_it();
	int sig;

	return sigwait(&set, &sig) == 0 ? sig : -1;
}

static int take_sigtimedwait(void)
{
	const struct timespec ten_s = { .tv_sec = 10 };
	sigset_t set = just_it();

	return sigtimedwait(&set, NULL, &ten_s);
}

static int take_signalfd(void)
{
	struct signalfd_siginfo info;
	sigset_t set = just_it();
	int fd = signalfd(-1, &set, SFD_CLOEXEC);

	MUST(read(fd, &info, sizeof(info)) == sizeof(info));
	close(fd);
	return (int)info.ssi_signo;
}

static void taken(int (*take)(void))
{
	sigset_t set = just_it();

	hold();
	MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	send_each(take);
	burn(30);
}

static void uses_sigwait(void)
{
	taken(take_sigwait);
}

static void uses_sigtimedwait(void)
{
	taken(take_sigtimedwait);
}

static void uses_signalfd(void)
{
	taken(take_signalfd);
}

/* What was ignored before we came stays so: nohup. */
static void ignored(void)
{
	for (int sig = next_signal(0); sig; sig = next_signal(sig))
		signal(sig, SIG_IGN);
	execl("/proc/self/exe", "dispositions", "still_ignored", (char *)NULL);
	MUST(!"exec failed");
}

static void still_ignored(void)
{
	hold();
	for (int sig = next_signal(0); sig; sig = next_signal(sig)) {
		must_be(sig, SIG_IGN, 0);
		raise(sig);
	}
	burn(30);
}

static const struct way ways[] = {
	{ "sigaction", by_sigaction },
	{ "signal", by_signal },
	{ "bsd_signal", by_bsd_signal },
	{ "sysv_signal", by_sysv_signal },
	{ "sigset", by_sigset },
	{ "siginterrupt", by_siginterrupt },
	{ "ignored", ignored },
	{ "still_ignored", still_ignored },
	{ "uses_sigaction", uses_sigaction },
	{ "uses_signal", uses_signal },
	{ "uses_sigset", uses_sigset },
	{ "uses_sigwait", uses_sigwait },
	{ "uses_sigtimedwait", uses_sigtimedwait },
	{ "uses_signalfd", uses_signalfd },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
