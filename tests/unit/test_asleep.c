/*
 * test_asleep.c - stacks of threads that sleep, read from outside, against what
 * backtrace() said on the way there. BUILD: -pthread
 */
#include "pp.h"

#include <errno.h>
#include <execinfo.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "asleep.h"
#include "test.h"

#define MOST 32

/* Functions found by a frame pointer, as in a build for debugging, and those
 * of an optimized one. */
#define BY_RBP __attribute__((noinline, noclone, optimize("O0")))
#define BY_RSP __attribute__((noinline, noclone))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static int pipe_ends[2], epoll;
static _Atomic int done_value;

struct sleeper {
	void (*sleep)(void);
	bool by_rbp;
	pthread_t thread;
	_Atomic uint32_t tid;
	void *truth[MOST];
	_Atomic int depth;
	_Atomic int saw_eintr;
};
static _Thread_local struct sleeper *self;

static void check(long result)
{
	if (result < 0 && errno == EINTR)
		atomic_store(&self->saw_eintr, 1);
}

static void in_mutex(void)
{
	check(-pthread_mutex_lock(&mutex));
	pthread_mutex_unlock(&mutex);
}

static void in_cond(void)
{
	pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&own);
	while (!atomic_load(&done_value))
		pthread_cond_wait(&cond, &own);
	pthread_mutex_unlock(&own);
}

static void in_sem(void)
{
	check(sem_wait(&sem));
}

static void in_read(void)
{
	char byte;

	check(read(pipe_ends[0], &byte, 1));
}

static void in_epoll(void)
{
	struct epoll_event event;

	check(epoll_wait(epoll, &event, 1, 60000));
}

static void in_poll(void)
{
	struct pollfd fd = { .fd = pipe_ends[0], .events = POLLIN };

	check(poll(&fd, 1, 60000));
}

static void in_nanosleep(void)
{
	struct timespec ms = { 0, 20000000 };

	while (!atomic_load(&done_value))
		check(nanosleep(&ms, NULL));
}

static void arrive(void)
{
	self->depth = backtrace(self->truth, MOST);
	atomic_store(&self->tid, (uint32_t)syscall(SYS_gettid));
}

static BY_RSP int plain_two(void)
{
	arrive();
	self->sleep();
	return 2;
}

static BY_RSP int plain_one(void)
{
	return 1 + plain_two();
}

static BY_RBP int framed_two(int size)
{
	volatile char *array = __builtin_alloca((size_t)size);

	array[0] = 1;
	arrive();
	self->sleep();
	return array[0];
}

static BY_RBP int framed_one(int n)
{
	if (n > 0)
		return framed_one(n - 1) + 1;
	return framed_two(200);
}

static void *start(void *arg)
{
	self = arg;
	if (self->by_rbp)
		(void)framed_one(3);
	else
		(void)plain_one();
	return NULL;
}

static struct sleeper sleepers[] = {
	{ .sleep = in_mutex },
	{ .sleep = in_cond },
	{ .sleep = in_sem },
	{ .sleep = in_read },
	{ .sleep = in_epoll },
	{ .sleep = in_poll },
	{ .sleep = in_nanosleep },
	{ .sleep = in_mutex, .by_rbp = true },
	{ .sleep = in_cond, .by_rbp = true },
	{ .sleep = in_sem, .by_rbp = true },
	{ .sleep = in_read, .by_rbp = true },
	{ .sleep = in_epoll, .by_rbp = true },
	{ .sleep = in_poll, .by_rbp = true },
	{ .sleep = in_nanosleep, .by_rbp = true },
};
#define SLEEPERS PP_ARRAY_LEN(sleepers)

static void start_all(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	sem_init(&sem, 0, 0);
	CHECK(pipe(pipe_ends) == 0);
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &event);
	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < SLEEPERS; i++)
		CHECK(pthread_create(&sleepers[i].thread, NULL, start,
			      &sleepers[i]) == 0);
}

static void end_all(void)
{
	atomic_store(&done_value, 1);
	for (unsigned i = 0; i < SLEEPERS; i++) {
		CHECK(write(pipe_ends[1], "x", 1) == 1);
		sem_post(&sem);
	}
	pthread_mutex_unlock(&mutex);
	for (unsigned i = 0; i < SLEEPERS; i++) {
		pthread_cond_broadcast(&cond);
		pthread_join(sleepers[i].thread, NULL);
	}
}

/* Until it sleeps where it is meant to. */
static bool find_asleep(const struct sleeper *s, struct asleep *ret)
{
	struct timespec ms = { 0, 1000000 };

	for (unsigned i = 0; i < 5000; i++) {
		uint32_t tid = atomic_load(&s->tid);

		if (tid && asleep_read(tid, ret) == 0 && ret->state == 'S')
			return true;
		nanosleep(&ms, NULL);
	}
	return false;
}

/*
 * The frames above arrive()'s caller are the same at both moments; that caller
 * itself has gone on to another call.
 */
static bool same_callers(
	const struct sleeper *s, const frame_t *frames, unsigned n)
{
	unsigned callers = (unsigned)s->depth - 2; /* without arrive, caller */

	if (n < callers)
		return false;
	for (unsigned i = 0; i < callers; i++) {
		uint64_t truth = (uintptr_t)s->truth[2 + i];

		if (frame_pc(frames[n - callers + i]) != truth)
			return false;
	}
	return true;
}

static void check_one(struct sleeper *s)
{
	frame_t frames[MOST];
	enum unwind_end end;
	struct asleep a;
	unsigned n = 0;

	CHECK(find_asleep(s, &a));
	for (unsigned i = 0; i < 100 && n == 0; i++) {
		if (asleep_read(s->tid, &a) == 0)
			n = asleep_unwind(NULL, &a, frames, MOST, &end);
	}
	CHECK(n > 0);
	CHECK_EQ(end, UNWIND_COMPLETE);
	CHECK(same_callers(s, frames, n));
	if (n == 0 || end != UNWIND_COMPLETE || !same_callers(s, frames, n))
		printf("# sleeper %td: %u frames, end %d, of %d\n",
			s - sleepers, n, (int)end, (int)s->depth);
}

TEST(stacks_of_sleeping_threads)
{
	start_all();
	for (unsigned i = 0; i < SLEEPERS; i++)
		check_one(&sleepers[i]);
	end_all();
	for (unsigned i = 0; i < SLEEPERS; i++)
		CHECK(!sleepers[i].saw_eintr);
}

TEST(a_thread_that_runs_or_is_gone)
{
	struct asleep a;

	CHECK_EQ(asleep_read((uint32_t)syscall(SYS_gettid), &a), -EBUSY);
	CHECK_EQ(a.state, 'R');
	CHECK_EQ(asleep_read(1u << 30, &a), -ESRCH);
}

int main(void)
{
	unwind_start();
	RUN(a_thread_that_runs_or_is_gone);
	RUN(stacks_of_sleeping_threads);
	return test_done();
}
