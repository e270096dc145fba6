/*
 * cancel.c - threads that are cancelled anywhere: while they compute, allocate,
 * and in each of the waits that the library passes on.
 * BUILD: -pthread -fno-builtin-malloc
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include "hostile.h"

static atomic_int cleaned, ready;

static void clean(void *unused)
{
	(void)unused;
	churn(20);
	atomic_fetch_add(&cleaned, 1);
}

static void cancel_one(void *(*run)(void *), void *arg, long ms)
{
	void *result = NULL;
	pthread_t t;

	atomic_store(&ready, 0);
	atomic_store(&cleaned, 0);
	MUST(pthread_create(&t, NULL, run, arg) == 0);
	while (!atomic_load(&ready))
		sched_yield();
	burn(ms);
	MUST(pthread_cancel(t) == 0);
	MUST(pthread_join(t, &result) == 0);
	MUST(result == PTHREAD_CANCELED && cleaned == 1);
	churn(50);
}

/* Deferred: it allocates, and asks now and then. */
static void *allocating(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	atomic_store(&ready, 1);
	for (;;) {
		churn(20);
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return unused;
}

/* Asynchronous: nothing but computing is allowed. */
static void *computing(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	atomic_store(&ready, 1);
	for (;;)
		sink++;
	pthread_cleanup_pop(0);
	return unused;
}

static void deferred(void)
{
	hold();
	for (int i = 0; i < 30; i++)
		cancel_one(allocating, NULL, i % 4);
	burn(20);
}

static void asynchronous(void)
{
	hold();
	for (int i = 0; i < 30; i++)
		cancel_one(computing, NULL, i % 4);
	burn(20);
}

/* --- waits ---------------------------------------------------------------- */

static sigset_t all;

static void in_sigsuspend(void)
{
	sigsuspend(&all);
}

static void in_ppoll(void)
{
	ppoll(NULL, 0, NULL, &all);
}

static void in_pselect(void)
{
	pselect(0, NULL, NULL, NULL, NULL, &all);
}

static void in_epoll_pwait(void)
{
	static int fd = -1;
	struct epoll_event event;

	if (fd < 0)
		fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_pwait(fd, &event, 1, -1, &all);
}

static void in_sigwait(void)
{
	int sig;

	sigwait(&all, &sig);
}

static void in_sigwaitinfo(void)
{
	sigwaitinfo(&all, NULL);
}

static void in_sigtimedwait(void)
{
	const struct timespec hour = { .tv_sec = 3600 };

	sigtimedwait(&all, NULL, &hour);
}

static void (*const waits[])(void) = { in_sigsuspend, in_ppoll, in_pselect,
	in_epoll_pwait, in_sigwait, in_sigwaitinfo, in_sigtimedwait };

struct waiting {
	void (*once)(void);
	int type;
};

static void *waiting(void *arg)
{
	const struct waiting *w = arg;

	pthread_cleanup_push(clean, NULL);
	pthread_setcanceltype(w->type, NULL);
	atomic_store(&ready, 1);
	for (;;)
		w->once();
	pthread_cleanup_pop(0);
	return NULL;
}

/* Before it waits, while it does, and at once. */
static void in_waits(void)
{
	hold();
	sigfillset(&all);
	for (int i = 0; i < 3; i++) {
		for (size_t k = 0; k < COUNT(waits); k++) {
			struct waiting w = { waits[k],
				PTHREAD_CANCEL_DEFERRED };

			cancel_one(waiting, &w, i);
		}
	}
	burn(20);
}

/* Threads that end others, and are ended themselves while they are made. */
static void *making(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	atomic_store(&ready, 1);
	for (;;) {
		pthread_t t;

		if (pthread_create(&t, NULL, allocating, NULL) == 0) {
			pthread_cancel(t);
			pthread_detach(t);
		}
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return unused;
}

static void makers(void)
{
	hold();
	for (int i = 0; i < 10; i++) {
		void *result;
		pthread_t t;

		MUST(pthread_create(&t, NULL, making, NULL) == 0);
		burn(2);
		MUST(pthread_cancel(t) == 0);
		MUST(pthread_join(t, &result) == 0);
		MUST(result == PTHREAD_CANCELED);
	}
	burn(20);
}

static const struct way ways[] = {
	{ "deferred", deferred },
	{ "asynchronous", asynchronous },
	{ "in_waits", in_waits },
	{ "makers", makers },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
