/*
 * patient.c - one thread in one call that signals end, whatever SA_RESTART
 * says: "CALL limited": with a limit of 400 ms (sleep: 1 s); "CALL long": until
 * a signal of the program's comes. Prints "ready", and in the end what the call
 * returned, errno, how often the program's handler ran and the time in ms.
 * "storm": 400 times, with all signals blocked but in the call.
 */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "waiting.h"

static volatile sig_atomic_t handled;
static long limit_ms;
static int epoll;
static sem_t sem;
static sigset_t usual, none;

static struct timespec limit(void)
{
	return (struct timespec){ limit_ms / 1000, limit_ms % 1000 * 1000000 };
}

/* thrd_sleep and clock_nanosleep tell by other means. */
static long as_errno(int err)
{
	errno = err;
	return err ? -1 : 0;
}

static long by_poll(void)
{
	return poll(NULL, 0, (int)limit_ms);
}

static long by_ppoll(void)
{
	struct timespec t = limit();

	return ppoll(NULL, 0, &t, &usual);
}

static long by_select(void)
{
	struct timeval t = { limit_ms / 1000, limit_ms % 1000 * 1000 };

	return select(0, NULL, NULL, NULL, &t);
}

static long by_pselect(void)
{
	struct timespec t = limit();

	return pselect(0, NULL, NULL, NULL, &t, &usual);
}

static long by_epoll_wait(void)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, (int)limit_ms);
}

static long by_epoll_pwait(void)
{
	struct epoll_event e;

	return epoll_pwait(epoll, &e, 1, (int)limit_ms, &usual);
}

static long by_epoll_pwait2(void)
{
	struct timespec t = limit();
	struct epoll_event e;

	return epoll_pwait2(epoll, &e, 1, &t, &usual);
}

static long by_nanosleep(void)
{
	struct timespec t = limit();

	return nanosleep(&t, &t);
}

static long by_clock_nanosleep(void)
{
	struct timespec t = limit();

	return as_errno(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
}

static long by_clock_nanosleep_until(void)
{
	struct timespec t = after_ms(CLOCK_MONOTONIC, limit_ms);

	return as_errno(
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
}

static long by_thrd_sleep(void)
{
	struct timespec t = limit();

	return as_errno(thrd_sleep(&t, NULL) ? EINTR : 0);
}

static long by_usleep(void)
{
	return usleep((useconds_t)limit_ms * 1000);
}

/* Returns what is left. */
static long by_sleep(void)
{
	return as_errno(sleep((unsigned)(limit_ms + 999) / 1000) ? EINTR : 0);
}

static long by_sem_timedwait(void)
{
	struct timespec t = after_ms(CLOCK_REALTIME, limit_ms);

	return sem_timedwait(&sem, &t);
}

static long by_sem_clockwait(void)
{
	struct timespec t = after_ms(CLOCK_MONOTONIC, limit_ms);

	return sem_clockwait(&sem, CLOCK_MONOTONIC, &t);
}

static long by_sigtimedwait(void)
{
	struct timespec t = limit();

	return sigtimedwait(&none, NULL, &t);
}

static long by_sigwaitinfo(void)
{
	return sigwaitinfo(&none, NULL);
}

static long by_sigsuspend(void)
{
	return sigsuspend(&usual);
}

static long by_pause(void)
{
	return pause();
}

static const struct call {
	const char *name;
	long (*make)(void);
} calls[] = { { "poll", by_poll }, { "ppoll", by_ppoll },
	{ "select", by_select }, { "pselect", by_pselect },
	{ "epoll_wait", by_epoll_wait }, { "epoll_pwait", by_epoll_pwait },
	{ "epoll_pwait2", by_epoll_pwait2 }, { "nanosleep", by_nanosleep },
	{ "clock_nanosleep", by_clock_nanosleep },
	{ "clock_nanosleep_until", by_clock_nanosleep_until },
	{ "thrd_sleep", by_thrd_sleep }, { "usleep", by_usleep },
	{ "sleep", by_sleep }, { "sem_timedwait", by_sem_timedwait },
	{ "sem_clockwait", by_sem_clockwait },
	{ "sigtimedwait", by_sigtimedwait }, { "sigwaitinfo", by_sigwaitinfo },
	{ "sigsuspend", by_sigsuspend }, { "pause", by_pause } };

static void on_signal(int sig)
{
	handled += sig != 0;
}

static void catch_usr1(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	/* What asks for a profile has to wait for its end. */
	sigfillset(&act.sa_mask);
	EXPECT(sigaction(SIGUSR1, &act, NULL) == 0);
}

static void once(const struct call *call)
{
	int64_t began;
	long result;
	int err;

	printf("ready\n");
	fflush(stdout);
	began = waiting_now();
	errno = 0;
	result = call->make();
	err = errno;
	printf("%ld %s %d %ld\n", result, strerrorname_np(err) ?: "0",
		(int)handled, (long)((waiting_now() - began) / 1000000));
}

/* Each signal of the program's ends one call: else this hangs. */
static void storm(const struct call *call)
{
	sigset_t every;

	sigfillset(&every);
	EXPECT(sigprocmask(SIG_SETMASK, &every, NULL) == 0);
	printf("ready\n");
	fflush(stdout);
	for (int i = 1; i <= 400; i++) {
		EXPECT(call->make() == -1 && errno == EINTR && handled == i);
		EXPECT(write(STDOUT_FILENO, "+\n", 2) == 2);
	}
}

int main(int argc, char **argv)
{
	EXPECT(argc == 3 && sem_init(&sem, 0, 0) == 0);
	epoll = epoll_create1(0);
	sigemptyset(&none);
	EXPECT(sigprocmask(SIG_SETMASK, NULL, &usual) == 0);
	catch_usr1();
	limit_ms = strcmp(argv[2], "limited") == 0 ? 400 : 100000;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (strcmp(argv[1], calls[i].name) != 0)
			continue;
		if (strcmp(argv[2], "storm") == 0)
			storm(&calls[i]);
		else
			once(&calls[i]);
		return 0;
	}
	return 1;
}
