/*
 * profilers.c - programs that profile themselves by SIGPROF, as runtimes do.
 * BUILD: -pthread
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include "hostile.h"

#define PERIOD_MS 5
#define BURN_MS 200
#define FEWEST (BURN_MS / PERIOD_MS / 4) /* a tick may be longer */

static volatile sig_atomic_t samples;
static volatile sig_atomic_t expected_code;

static void on_profile(int sig, siginfo_t *info, void *context)
{
	MUST(sig == SIGPROF && context);
	MUST(info->si_code == expected_code);
	samples++;
}

static void handle(int flags, int code)
{
	struct sigaction act = { .sa_sigaction = on_profile,
		.sa_flags = SA_SIGINFO | SA_RESTART | flags };

	expected_code = code;
	sigfillset(&act.sa_mask);
	MUST(sigaction(SIGPROF, &act, NULL) == 0);
}

static void must_be_armed(void)
{
	struct itimerval now;

	MUST(getitimer(ITIMER_PROF, &now) == 0);
	MUST(now.it_interval.tv_usec == PERIOD_MS * 1000);
}

static void start_itimer(void)
{
	struct itimerval every = { { 0, PERIOD_MS * 1000 },
		{ 0, PERIOD_MS * 1000 } };
	struct itimerval old;

	MUST(setitimer(ITIMER_PROF, &every, &old) == 0);
	MUST(old.it_interval.tv_sec == 0 && old.it_interval.tv_usec == 0);
	MUST(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
}

/* gperftools. */
static void itimer(void)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	int n;

	hold();
	handle(0, SI_KERNEL);
	start_itimer();
	burn(BURN_MS);
	must_be_armed();
	MUST(setitimer(ITIMER_PROF, &never, NULL) == 0);
	n = samples;
	MUST(n >= FEWEST && n <= 2 * BURN_MS / PERIOD_MS);
	burn(30);
	MUST(samples == n);
	/* Unhandled it would end the program: nobody sends one now. */
	signal(SIGPROF, SIG_DFL);
	burn(30);
}

/* Nobody handles it. */
static void unhandled(void)
{
	hold();
	burn(30);
	start_itimer();
	burn(10000);
}

/* Go with cgo: a timer for each thread, and an alternate stack. */
static void *with_timer(void *unused)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGPROF };
	struct itimerspec every = { { 0, PERIOD_MS * 1000000 },
		{ 0, PERIOD_MS * 1000000 } };
	stack_t stack = { .ss_sp = malloc(32768), .ss_size = 32768 };
	timer_t timer;

	MUST(sigaltstack(&stack, NULL) == 0);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	MUST(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0);
	MUST(timer_settime(timer, 0, &every, NULL) == 0);
	burn(BURN_MS / 2);
	MUST(timer_delete(timer) == 0);
	stack.ss_flags = SS_DISABLE;
	MUST(sigaltstack(&stack, NULL) == 0);
	free(stack.ss_sp);
	return unused;
}

static void thread_timers(void)
{
	pthread_t t[2];

	hold();
	handle(SA_ONSTACK, SI_TIMER);
	for (int i = 0; i < 2; i++)
		MUST(!pthread_create(&t[i], NULL, with_timer, NULL));
	for (int i = 0; i < 2; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(samples >= FEWEST);
	burn(30);
}

/* V8: one thread sends it to the other. */
static volatile sig_atomic_t asked;

static void *sampler(void *target)
{
	for (int i = 0; i < 50; i++) {
		int before = samples;

		MUST(pthread_kill(*(pthread_t *)target, SIGPROF) == 0);
		asked++;
		while (samples == before)
			sched_yield();
	}
	return NULL;
}

static void sent(void)
{
	pthread_t me = pthread_self(), t;

	hold();
	handle(0, SI_TKILL);
	MUST(pthread_create(&t, NULL, sampler, &me) == 0);
	while (samples < 50)
		churn(10);
	MUST(pthread_join(t, NULL) == 0);
	MUST(samples == asked);
	burn(30);
}

static const struct way ways[] = {
	{ "itimer", itimer },
	{ "unhandled", unhandled },
	{ "thread_timers", thread_timers },
	{ "sent", sent },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
