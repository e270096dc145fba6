/*
 * masks.c - a program that blocks every signal, in each way there is: it reads
 * back what it gave, waits end for its own signals only, and its CPU time is
 * seen all the same. BUILD: -pthread
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include "hostile.h"

#define SEEN_MS 60 /* at 250 Hz some samples are sure */

extern char **environ;

static const struct timespec ten_s = { .tv_sec = 10 };
static sigset_t all, all_but_alarm;
static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* The highest numbers are those of a library that asked libc for them. */
static void must_be_same(const sigset_t *a, const sigset_t *b)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		MUST(sigismember(a, sig) == sigismember(b, sig));
}

static void must_block(const sigset_t *wanted)
{
	sigset_t now;

	MUST(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
	must_be_same(&now, wanted);
}

static void by_sigprocmask(void)
{
	hold();
	MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	burn(SEEN_MS);
	must_block(&all);
	MUST(sigprocmask(SIG_UNBLOCK, &all, NULL) == 0);
	MUST(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	must_block(&all);
}

static void *blocking(void *unused)
{
	MUST(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
	burn(SEEN_MS);
	must_block(&all);
	return unused;
}

static void by_pthread_sigmask(void)
{
	sigset_t none;
	pthread_t t;

	hold();
	sigemptyset(&none);
	MUST(pthread_create(&t, NULL, blocking, NULL) == 0);
	MUST(pthread_join(t, NULL) == 0);
	must_block(&none);
}

static void in_handler(int sig)
{
	sigset_t wanted = all;

	burn(SEEN_MS);
	must_block(&wanted);
	on_alarm(sig);
}

static void by_handler(void)
{
	struct sigaction act = { .sa_handler = in_handler, .sa_mask = all };
	struct sigaction now;

	hold();
	MUST(sigaction(SIGALRM, &act, NULL) == 0);
	MUST(sigaction(SIGALRM, NULL, &now) == 0);
	must_be_same(&now.sa_mask, &all);
	raise(SIGALRM);
	MUST(alarms == 1);
}

static void *blocked_from_the_start(void *unused)
{
	must_block(&all);
	burn(SEEN_MS);
	return unused;
}

static void by_attributes(void)
{
	pthread_attr_t attr;
	sigset_t back;
	pthread_t t;

	hold();
	MUST(pthread_attr_init(&attr) == 0);
	MUST(pthread_attr_setsigmask_np(&attr, &all) == 0);
	MUST(pthread_attr_getsigmask_np(&attr, &back) == 0);
	must_be_same(&back, &all);
	MUST(!pthread_create(&t, &attr, blocked_from_the_start, NULL));
	MUST(pthread_join(t, NULL) == 0);
}

/* The next image finds them blocked, and is seen as well. */
static void by_spawn(void)
{
	char self[] = "/proc/self/exe", way[] = "spawned";
	char *argv[] = { self, way, NULL };
	posix_spawnattr_t attr;
	int status;
	pid_t child;

	hold();
	MUST(posix_spawnattr_init(&attr) == 0);
	MUST(posix_spawnattr_setsigmask(&attr, &all) == 0);
	MUST(!posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK));
	MUST(posix_spawn(&child, self, NULL, &attr, argv, environ) == 0);
	MUST(waitpid(child, &status, 0) == child && status == 0);
	burn(SEEN_MS);
}

static void spawned(void)
{
	must_block(&all);
	hold();
	burn(SEEN_MS);
	must_block(&all);
	exit(0);
}

/* --- waiting with a mask -------------------------------------------------- */

static void *send_alarm(void *unused)
{
	burn(SEEN_MS);
	kill(getpid(), SIGALRM);
	return unused;
}

/* The alarm is blocked but for the wait, and the only thing to end it. */
static void until_alarm(int (*wait_once)(void))
{
	pthread_t t;

	hold();
	signal(SIGALRM, on_alarm);
	MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	MUST(pthread_create(&t, NULL, send_alarm, NULL) == 0);
	MUST(wait_once() == -1 && errno == EINTR);
	MUST(alarms == 1);
	must_block(&all);
	MUST(pthread_join(t, NULL) == 0);
}

static int once_sigsuspend(void)
{
	return sigsuspend(&all_but_alarm);
}

static int once_ppoll(void)
{
	return ppoll(NULL, 0, &ten_s, &all_but_alarm);
}

static int once_pselect(void)
{
	return pselect(0, NULL, NULL, NULL, &ten_s, &all_but_alarm);
}

static int once_epoll_pwait(void)
{
	struct epoll_event event;

	return epoll_pwait(epoll_create1(0), &event, 1, 10000, &all_but_alarm);
}

static int once_epoll_pwait2(void)
{
	struct epoll_event event;

	return epoll_pwait2(
		epoll_create1(0), &event, 1, &ten_s, &all_but_alarm);
}

#define UNTIL_ALARM(name)                 \
	static void by_##name(void)       \
	{                                 \
		until_alarm(once_##name); \
	}

UNTIL_ALARM(sigsuspend)
UNTIL_ALARM(ppoll)
UNTIL_ALARM(pselect)
UNTIL_ALARM(epoll_pwait)
UNTIL_ALARM(epoll_pwait2)

/* --- signals taken without a handler -------------------------------------- */

static void take(int (*take_one)(void))
{
	pthread_t t;

	hold();
	MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	MUST(pthread_create(&t, NULL, send_alarm, NULL) == 0);
	MUST(take_one() == SIGALRM);
	MUST(pthread_join(t, NULL) == 0);
}

static int one_sigwait(void)
{
	int sig;

	return sigwait(&all, &sig) == 0 ? sig : -1;
}

static int one_sigwaitinfo(void)
{
	siginfo_t info;
	int sig = sigwaitinfo(&all, &info);

	MUST(info.si_signo == sig && info.si_pid == getpid());
	return sig;
}

static int one_sigtimedwait(void)
{
	const struct timespec none = { 0, 0 };
	int sig = sigtimedwait(&all, NULL, &ten_s);

	MUST(sigtimedwait(&all, NULL, &none) == -1 && errno == EAGAIN);
	return sig;
}

static int one_signalfd(void)
{
	struct signalfd_siginfo info[2];
	int fd = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	struct pollfd poll_one = { .fd = fd, .events = POLLIN };

	MUST(poll(&poll_one, 1, 10000) == 1);
	MUST(read(fd, info, sizeof(info)) == sizeof(*info));
	MUST(read(fd, info + 1, sizeof(*info)) == -1 && errno == EAGAIN);
	return (int)info[0].ssi_signo;
}

#define TAKE(name)                  \
	static void by_##name(void) \
	{                           \
		take(one_##name);   \
	}

TAKE(sigwait)
TAKE(sigwaitinfo)
TAKE(sigtimedwait)
TAKE(signalfd)

static void by_sigpending(void)
{
	sigset_t wanted, now;

	hold();
	MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	sigaddset(&wanted, SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR2);
	burn(SEEN_MS);
	MUST(sigpending(&now) == 0);
	must_be_same(&now, &wanted);
	/* Ignoring one throws it away, as anywhere. */
	signal(SIGUSR2, SIG_IGN);
	sigdelset(&wanted, SIGUSR2);
	MUST(sigpending(&now) == 0);
	must_be_same(&now, &wanted);
}

static const struct way ways[] = {
	{ "sigprocmask", by_sigprocmask },
	{ "pthread_sigmask", by_pthread_sigmask },
	{ "handler", by_handler },
	{ "attributes", by_attributes },
	{ "spawn", by_spawn },
	{ "spawned", spawned },
	{ "sigsuspend", by_sigsuspend },
	{ "ppoll", by_ppoll },
	{ "pselect", by_pselect },
	{ "epoll_pwait", by_epoll_pwait },
	{ "epoll_pwait2", by_epoll_pwait2 },
	{ "sigwait", by_sigwait },
	{ "sigwaitinfo", by_sigwaitinfo },
	{ "sigtimedwait", by_sigtimedwait },
	{ "signalfd", by_signalfd },
	{ "sigpending", by_sigpending },
};

int main(int argc, char **argv)
{
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	all_but_alarm = all;
	sigdelset(&all_but_alarm, SIGALRM);
	return go_the_way(ways, COUNT(ways), argc, argv);
}
