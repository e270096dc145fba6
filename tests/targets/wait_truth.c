/* BUILD: -pthread
 *
 * wait_truth.c - waits for other things than locks, of known length, in stacks
 * of known names; prints the program's own account: waiting.h.
 *
 * wait_truth TEST...: one after the other.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <threads.h>
#include <unistd.h>

#include "waiting.h"

#define PAUSE_MS 100

/* Run f in a thread, pause, then let it go on. */
static void wait_in_thread(void *(*f)(void *), void (*let_go)(void))
{
	pthread_t t;

	EXPECT(pthread_create(&t, NULL, f, NULL) == 0);
	pause_ms(PAUSE_MS);
	if (let_go)
		let_go();
	EXPECT(pthread_join(t, NULL) == 0);
}

/* --- conditions ----------------------------------------------------------- */

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int turn;

static TARGET_NOINLINE void cond_waiter(int mine)
{
	WAITED(cond_waiter, EXPECT(pthread_mutex_lock(&m) == 0));
	while (turn % 2 != mine)
		WAITED(cond_waiter, EXPECT(pthread_cond_wait(&c, &m) == 0));
	pause_ms(5);
	turn++;
	EXPECT(pthread_cond_signal(&c) == 0);
	EXPECT(pthread_mutex_unlock(&m) == 0);
}

static void *cond_player(void *mine)
{
	for (int i = 0; i < 10; i++)
		cond_waiter(mine != NULL);
	return NULL;
}

/* Two threads hand each other the turn. */
static void cond(void)
{
	pthread_t t;

	EXPECT(pthread_create(&t, NULL, cond_player, &m) == 0);
	cond_player(NULL);
	EXPECT(pthread_join(t, NULL) == 0);
}

static TARGET_NOINLINE void cond_timed(void)
{
	struct timespec until = after_ms(CLOCK_REALTIME, PAUSE_MS);
	int got;

	EXPECT(pthread_mutex_lock(&m) == 0);
	WAITED(cond_timed, got = pthread_cond_timedwait(&c, &m, &until));
	EXPECT(got == ETIMEDOUT);
	until = after_ms(CLOCK_MONOTONIC, PAUSE_MS);
	WAITED(cond_timed,
		got = pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &until));
	EXPECT(got == ETIMEDOUT);
	EXPECT(pthread_mutex_unlock(&m) == 0);
}

/* A wait for a condition lets go of a mutex that another wants. */
static TARGET_NOINLINE void cond_releaser(void)
{
	struct timespec until;

	EXPECT(pthread_mutex_lock(&m) == 0);
	pause_ms(2 * PAUSE_MS);
	until = after_ms(CLOCK_REALTIME, 5 * PAUSE_MS);
	EXPECT(pthread_cond_timedwait(&c, &m, &until) != EINVAL);
	EXPECT(pthread_mutex_unlock(&m) == 0);
}

static void *cond_release(void *unused)
{
	cond_releaser();
	return unused;
}

static TARGET_NOINLINE void cond_mutex_wanter(void)
{
	WAITED(cond_mutex_wanter, EXPECT(pthread_mutex_lock(&m) == 0));
	EXPECT(pthread_cond_signal(&c) == 0);
	EXPECT(pthread_mutex_unlock(&m) == 0);
}

static void cond_release_test(void)
{
	wait_in_thread(cond_release, cond_mutex_wanter);
}

/* --- semaphores, barriers, joins, once ------------------------------------ */

static sem_t sem;

static TARGET_NOINLINE void sem_waiter(void)
{
	struct timespec until = after_ms(CLOCK_REALTIME, PAUSE_MS);
	int got;

	WAITED(sem_waiter, EXPECT(sem_wait(&sem) == 0));
	errno = 0;
	WAITED(sem_waiter, got = sem_timedwait(&sem, &until));
	EXPECT(got == 0 || errno == ETIMEDOUT);
}

static void *wait_for_sem(void *unused)
{
	sem_waiter();
	return unused;
}

static void post(void)
{
	EXPECT(sem_post(&sem) == 0);
}

static void semaphore(void)
{
	EXPECT(sem_init(&sem, 0, 0) == 0);
	wait_in_thread(wait_for_sem, post);
	for (int i = 0; i < 1000; i++) {
		post();
		EXPECT(sem_wait(&sem) == 0);
	}
}

static pthread_barrier_t barrier;

static TARGET_NOINLINE void barrier_waiter(void)
{
	int got;

	WAITED(barrier_waiter, got = pthread_barrier_wait(&barrier));
	EXPECT(got == 0 || got == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void *wait_for_barrier(void *unused)
{
	barrier_waiter();
	return unused;
}

static void barriers(void)
{
	EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
	wait_in_thread(wait_for_barrier, barrier_waiter);
}

static void *pause_in_thread(void *unused)
{
	pause_ms(PAUSE_MS);
	return unused;
}

static int pause_in_c11(void *unused)
{
	(void)unused;
	pause_ms(PAUSE_MS);
	return 7;
}

static TARGET_NOINLINE void joiner(void)
{
	struct timespec until = after_ms(CLOCK_REALTIME, 10 * PAUSE_MS);
	pthread_t t;
	void *ret = NULL;

	EXPECT(pthread_create(&t, NULL, pause_in_thread, &c) == 0);
	WAITED(joiner, EXPECT(pthread_join(t, &ret) == 0));
	EXPECT(ret == &c);
	EXPECT(pthread_create(&t, NULL, pause_in_thread, NULL) == 0);
	WAITED(joiner, EXPECT(pthread_timedjoin_np(t, NULL, &until) == 0));
	EXPECT(pthread_join(pthread_self(), NULL) == EDEADLK);
}

static pthread_once_t once_control = PTHREAD_ONCE_INIT;

static void initialise(void)
{
	pause_ms(2 * PAUSE_MS);
}

static TARGET_NOINLINE void once_waiter(void)
{
	WAITED(once_waiter,
		EXPECT(pthread_once(&once_control, initialise) == 0));
}

static void *initialise_once(void *unused)
{
	EXPECT(pthread_once(&once_control, initialise) == 0);
	return unused;
}

static void once(void)
{
	wait_in_thread(initialise_once, once_waiter);
	EXPECT(pthread_once(&once_control, initialise) == 0);
}

/* --- C11 ------------------------------------------------------------------ */

static mtx_t c11_mutex;
static cnd_t c11_cond;

static TARGET_NOINLINE int c11_wanter(void *unused)
{
	(void)unused;
	WAITED(c11_wanter, EXPECT(mtx_lock(&c11_mutex) == thrd_success));
	EXPECT(cnd_signal(&c11_cond) == thrd_success);
	EXPECT(mtx_unlock(&c11_mutex) == thrd_success);
	return 3;
}

static TARGET_NOINLINE void c11_waiter(void)
{
	struct timespec t = { 0, PAUSE_MS * 1000000 };
	int result = 0;
	thrd_t other, third;

	EXPECT(mtx_init(&c11_mutex, mtx_plain) == thrd_success);
	EXPECT(cnd_init(&c11_cond) == thrd_success);
	EXPECT(mtx_lock(&c11_mutex) == thrd_success);
	EXPECT(thrd_create(&other, c11_wanter, NULL) == thrd_success);
	EXPECT(thrd_create(&third, pause_in_c11, NULL) == thrd_success);
	WAITED(c11_waiter, EXPECT(thrd_sleep(&t, NULL) == 0));
	WAITED(c11_waiter,
		EXPECT(cnd_wait(&c11_cond, &c11_mutex) == thrd_success));
	EXPECT(mtx_unlock(&c11_mutex) == thrd_success);
	EXPECT(thrd_join(other, &result) == thrd_success && result == 3);
	WAITED(c11_waiter, EXPECT(thrd_join(third, &result) == thrd_success));
	EXPECT(result == 7);
}

/* --- sleeps and descriptors ----------------------------------------------- */

static TARGET_NOINLINE void sleeper(void)
{
	struct timespec t = { 0, 10000000 };

	WAITED(sleeper, EXPECT(nanosleep(&t, NULL) == 0));
	WAITED(sleeper, EXPECT(usleep(10000) == 0));
	WAITED(sleeper,
		EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) == 0));
	WAITED(sleeper, EXPECT(sleep(1) == 0));
}

static TARGET_NOINLINE void poller(void)
{
	struct timespec t = { 0, 10000000 };
	struct timeval tv = { 0, 10000 };
	int ends[2], e = epoll_create1(EPOLL_CLOEXEC);
	struct pollfd p = { .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };

	EXPECT(pipe(ends) == 0);
	p.fd = ends[0];
	EXPECT(epoll_ctl(e, EPOLL_CTL_ADD, ends[0], &event) == 0);
	WAITED(poller, EXPECT(poll(&p, 1, 10) == 0));
	WAITED(poller, EXPECT(ppoll(&p, 1, &t, NULL) == 0));
	WAITED(poller, EXPECT(select(0, NULL, NULL, NULL, &tv) == 0));
	WAITED(poller, EXPECT(pselect(0, NULL, NULL, NULL, &t, NULL) == 0));
	WAITED(poller, EXPECT(epoll_wait(e, &event, 1, 10) == 0));
	WAITED(poller, EXPECT(epoll_pwait(e, &event, 1, 10, NULL) == 0));
	for (int i = 0; i < 1000; i++)
		EXPECT(poll(&p, 1, 0) == 0 && epoll_wait(e, &event, 1, 0) == 0);
	EXPECT(close(e) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
}

static int sockets[2], ends[2];

static TARGET_NOINLINE void reader(void)
{
	char byte;

	WAITED(reader, EXPECT(read(ends[0], &byte, 1) == 1));
	WAITED(reader, EXPECT(recv(sockets[0], &byte, 1, 0) == 1));
}

static void *read_in_thread(void *unused)
{
	reader();
	return unused;
}

static void feed(void)
{
	EXPECT(write(ends[1], "", 1) == 1);
	pause_ms(PAUSE_MS);
	EXPECT(send(sockets[1], "", 1, 0) == 1);
}

static void reads(void)
{
	EXPECT(pipe(ends) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	wait_in_thread(read_in_thread, feed);
}

/* --- cancellation --------------------------------------------------------- */

static int cleaned;

static void clean(void *mutex)
{
	cleaned++;
	if (mutex)
		EXPECT(pthread_mutex_unlock(mutex) == 0);
}

static void *cancelled_cond(void *unused)
{
	EXPECT(pthread_mutex_lock(&m) == 0);
	pthread_cleanup_push(clean, &m);
	for (;;)
		(void)pthread_cond_wait(&c, &m);
	pthread_cleanup_pop(1);
	return unused;
}

static void *cancelled_sem(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	for (;;)
		(void)sem_wait(&sem);
	pthread_cleanup_pop(1);
	return unused;
}

static void *cancelled_read(void *fd)
{
	char byte;

	pthread_cleanup_push(clean, NULL);
	(void)read(*(int *)fd, &byte, 1);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *cancelled_poll(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	(void)poll(NULL, 0, -1);
	pthread_cleanup_pop(1);
	return unused;
}

static void *asleep_for_good(void *unused)
{
	for (;;)
		(void)pause();
	return unused;
}

static void *cancelled_join(void *other)
{
	pthread_cleanup_push(clean, NULL);
	(void)pthread_join(*(pthread_t *)other, NULL);
	pthread_cleanup_pop(1);
	return NULL;
}

static void cancel_one(void *(*f)(void *), void *arg)
{
	void *ret = NULL;
	pthread_t t;

	cleaned = 0;
	EXPECT(pthread_create(&t, NULL, f, arg) == 0);
	pause_ms(5);
	EXPECT(pthread_cancel(t) == 0);
	EXPECT(pthread_join(t, &ret) == 0);
	EXPECT(ret == PTHREAD_CANCELED && cleaned == 1);
}

static void cancel(void)
{
	pthread_t other;
	int fds[2];

	EXPECT(pipe(fds) == 0);
	EXPECT(sem_init(&sem, 0, 0) == 0);
	EXPECT(pthread_create(&other, NULL, asleep_for_good, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		cancel_one(cancelled_cond, NULL);
		cancel_one(cancelled_sem, NULL);
		cancel_one(cancelled_read, fds);
		cancel_one(cancelled_poll, NULL);
		cancel_one(cancelled_join, &other);
	}
	EXPECT(pthread_mutex_lock(&m) == 0);
	EXPECT(pthread_mutex_unlock(&m) == 0);
}

static const struct target_test tests[] = { { "cond", cond },
	{ "cond_timed", cond_timed }, { "cond_release", cond_release_test },
	{ "sem", semaphore }, { "barrier", barriers }, { "join", joiner },
	{ "once", once }, { "c11", c11_waiter }, { "sleep", sleeper },
	{ "poll", poller }, { "io", reads }, { "cancel", cancel } };

int main(int argc, char **argv)
{
	for (; argc > 1; argc--, argv++)
		TARGET_RUN(tests, argc, argv);
	print_waited();
	return 0;
}
