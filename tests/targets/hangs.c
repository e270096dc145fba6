/*
 * hangs.c - threads that hang, sleep or run in functions of known names. Prints
 * "NAME TID" for each and then "ready". BUILD: -pthread
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "waiting.h"

static pthread_barrier_t all_hold;
static _Atomic int there;

static void here(const char *name)
{
	EXPECT(prctl(PR_SET_NAME, name, 0, 0, 0) == 0);
	printf("%s %ld\n", name, (long)syscall(SYS_gettid));
	there++;
}

static void wait_until_there(int n)
{
	while (there < n)
		sched_yield();
	printf("ready\n");
	fflush(stdout);
}

static void end_of_input(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

/* --- deadlocks ------------------------------------------------------------ */

static pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock_c = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rw_a = PTHREAD_RWLOCK_INITIALIZER;
static pthread_t bob;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

#define WAITS(function, call)                        \
	static TARGET_NOINLINE void function(void)   \
	{                                            \
		EXPECT((call) == 0);                 \
		__asm__ volatile("" : : : "memory"); \
	}

WAITS(alice_waits_for_b, pthread_mutex_lock(&lock_b))
WAITS(bob_waits_for_a, pthread_mutex_lock(&lock_a))
WAITS(bob_waits_for_c, pthread_mutex_lock(&lock_c))
WAITS(carol_waits_for_a, pthread_mutex_lock(&lock_a))
WAITS(bob_waits_for_rw_a, pthread_rwlock_rdlock(&rw_a))
WAITS(alice_joins_bob, pthread_join(bob, NULL))
WAITS(alice_gets_a_again, pthread_cond_wait(&cond, &lock_a))
WAITS(bob_waits_for_b, pthread_mutex_lock(&lock_b))

#define HANGS(thread, name, hold, wait)          \
	static void *thread(void *unused)        \
	{                                        \
		EXPECT((hold) == 0);             \
		pthread_barrier_wait(&all_hold); \
		here(name);                      \
		wait();                          \
		return unused;                   \
	}

HANGS(alice_mutex, "alice", pthread_mutex_lock(&lock_a), alice_waits_for_b)
HANGS(bob_mutex, "bob", pthread_mutex_lock(&lock_b), bob_waits_for_a)
HANGS(bob_of_three, "bob", pthread_mutex_lock(&lock_b), bob_waits_for_c)
HANGS(carol_of_three, "carol", pthread_mutex_lock(&lock_c), carol_waits_for_a)
HANGS(alice_rwlock, "alice", pthread_rwlock_wrlock(&rw_a), alice_waits_for_b)
HANGS(bob_rwlock, "bob", pthread_mutex_lock(&lock_b), bob_waits_for_rw_a)
HANGS(alice_join, "alice", pthread_mutex_lock(&lock_a), alice_joins_bob)

HANGS(alice_cond, "alice",
	pthread_mutex_lock(&lock_b) + pthread_mutex_lock(&lock_a),
	alice_gets_a_again)

/* Has a, and b will not come: when alice has been woken. */
static void *bob_cond(void *unused)
{
	pthread_barrier_wait(&all_hold);
	EXPECT(pthread_mutex_lock(&lock_a) == 0);
	EXPECT(pthread_cond_signal(&cond) == 0);
	here("bob");
	bob_waits_for_b();
	return unused;
}

static void hang(int n, void *(*const threads[])(void *))
{
	pthread_t t;

	alarm(100);
	EXPECT(pthread_barrier_init(&all_hold, NULL, (unsigned)n) == 0);
	/* The last first: bob is known before alice joins him. */
	for (int i = n - 1; i >= 0; i--) {
		EXPECT(pthread_create(&t, NULL, threads[i], NULL) == 0);
		if (i == 1)
			bob = t;
	}
	wait_until_there(n);
	end_of_input();
	_exit(0);
}

#define DEADLOCK(test, ...)                                             \
	static void test(void)                                          \
	{                                                               \
		static void *(*const list[])(void *) = { __VA_ARGS__ }; \
		hang(sizeof(list) / sizeof(*list), list);               \
	}

DEADLOCK(two, alice_mutex, bob_mutex)
DEADLOCK(three, alice_mutex, bob_of_three, carol_of_three)
DEADLOCK(rwlock, alice_rwlock, bob_rwlock)
DEADLOCK(join, alice_join, bob_mutex)
DEADLOCK(condition, alice_cond, bob_cond)

/* --- sleepers ------------------------------------------------------------- */

static int pipe_ends[2], sockets[2], epoll;
static sem_t sem;
static const struct timespec long_time = { .tv_sec = 1000 };
static _Atomic int interrupted, returned;

/* None of the calls ever has a reason to return. */
static void no_more(const char *what, long result, int err)
{
	fprintf(stderr, "%s returned %ld, errno %d\n", what, result, err);
	if (err == EINTR)
		interrupted++;
	returned++;
	for (;;)
		pause();
}

#define SLEEPS(word, declaration, call)                    \
	static TARGET_NOINLINE void sleeps_in_##word(void) \
	{                                                  \
		declaration;                               \
		long result = (call);                      \
		no_more(#word, result, errno);             \
	}                                                  \
	static void *word##_thread(void *unused)           \
	{                                                  \
		here(#word);                               \
		sleeps_in_##word();                        \
		return unused;                             \
	}

SLEEPS(epoll_wait, struct epoll_event e, epoll_wait(epoll, &e, 1, -1))
SLEEPS(poll, struct pollfd p = ((struct pollfd){ .fd = -1 }),
	poll(&p, 1, 1000000))
SLEEPS(nanosleep, , nanosleep(&long_time, NULL))
SLEEPS(sem_wait, , sem_wait(&sem))
SLEEPS(sem_timedwait, struct timespec t = after_ms(CLOCK_REALTIME, 1000000),
	sem_timedwait(&sem, &t))
SLEEPS(read_pipe, char c, read(pipe_ends[0], &c, 1))
SLEEPS(recv, char c, recv(sockets[0], &c, 1, 0))
SLEEPS(futex, static uint32_t word,
	syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0))
SLEEPS(futex_timed, static uint32_t word,
	syscall(SYS_futex, &word, FUTEX_WAIT, 0, &long_time, NULL, 0))
SLEEPS(cond_wait, pthread_mutex_lock(&lock_a),
	pthread_cond_wait(&cond, &lock_a))

static void sleepers(void)
{
	static void *(*const list[])(void *) = { epoll_wait_thread, poll_thread,
		nanosleep_thread, sem_wait_thread, sem_timedwait_thread,
		read_pipe_thread, recv_thread, futex_thread, futex_timed_thread,
		cond_wait_thread };
	pthread_attr_t small;
	pthread_t t;

	EXPECT(pipe(pipe_ends) == 0 && sem_init(&sem, 0, 0) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	epoll = epoll_create1(0);
	EXPECT(pthread_attr_init(&small) == 0);
	EXPECT(pthread_attr_setstacksize(&small, 65536) == 0);
	for (int i = 0; i < 500; i++)
		EXPECT(pthread_create(&t, &small, list[i % 10], NULL) == 0);
	wait_until_there(500);
	end_of_input();
	printf("returned %d interrupted %d\n", returned, interrupted);
	fflush(stdout);
	_exit(0);
}

/* --- runners -------------------------------------------------------------- */

static TARGET_NOINLINE void spin_forever(void)
{
	for (;;)
		target_sink++;
}

static TARGET_NOINLINE void spin_deaf(void)
{
	for (;;)
		target_sink--;
}

static void *spinner(void *unused)
{
	here("spinner");
	spin_forever();
	return unused;
}

static void *deaf(void *unused)
{
	uint64_t every = ~UINT64_C(0);

	EXPECT(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &every, NULL, 8) == 0);
	here("deaf");
	spin_deaf();
	return unused;
}

static void runners(void)
{
	pthread_t t;

	EXPECT(pthread_create(&t, NULL, spinner, NULL) == 0);
	EXPECT(pthread_create(&t, NULL, deaf, NULL) == 0);
	wait_until_there(2);
	end_of_input();
	_exit(0);
}

/* --- for dumps ------------------------------------------------------------ */

static void *volatile kept;

static TARGET_NOINLINE void *allocates(size_t bytes)
{
	void *p = malloc(bytes);

	__asm__ volatile("" : : : "memory");
	return p;
}

/* Some memory, and then nothing more. */
static void quiet(void)
{
	for (int i = 0; i < 100; i++)
		kept = allocates(10000);
	wait_until_there(0);
	end_of_input();
	_exit(0);
}

/* A process and its child, each with a session of its own. */
static void child(void)
{
	kept = allocates(10000);
	fflush(stdout);
	if (fork() == 0) {
		here("child");
		wait_until_there(1);
	}
	end_of_input();
	_exit(0);
}

static const struct target_test tests[] = { { "two", two }, { "three", three },
	{ "rwlock", rwlock }, { "join", join }, { "condition", condition },
	{ "sleepers", sleepers }, { "runners", runners }, { "quiet", quiet },
	{ "child", child } };

int main(int argc, char **argv)
{
	TARGET_RUN(tests, argc, argv);
	return 1;
}
