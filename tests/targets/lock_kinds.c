/* BUILD: -pthread
 *
 * lock_kinds.c - what the rarer kinds of mutexes answer, above all to waits for
 * a condition: owners that die, mutexes nobody can recover, priorities that a
 * mutex gives. Prints each answer: the output has to be the same with us.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "waiting.h"

static const char *said(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = { { 0, "0" }, { EPERM, "EPERM" }, { EBUSY, "EBUSY" },
		{ EINVAL, "EINVAL" }, { EDEADLK, "EDEADLK" },
		{ ETIMEDOUT, "ETIMEDOUT" }, { EAGAIN, "EAGAIN" },
		{ EOWNERDEAD, "EOWNERDEAD" }, { ENOTSUP, "ENOTSUP" },
		{ ENOTRECOVERABLE, "ENOTRECOVERABLE" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].error == error)
			return names[i].name;
	return "?";
}

#define SAY(call) printf("%s: %s\n", #call, said(call))

/* In memory that children share. */
static struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	_Atomic int waiting, results[2];
	int go;
} * s;

static pthread_mutexattr_t attr;

static void make(int type, int protocol, int robust, int shared)
{
	pthread_condattr_t c;

	printf("-- type %d protocol %d robust %d shared %d\n", type, protocol,
		robust, shared);
	*s = (struct shared){ 0 };
	EXPECT(pthread_mutexattr_init(&attr) == 0);
	EXPECT(pthread_mutexattr_settype(&attr, type) == 0);
	EXPECT(pthread_mutexattr_setprotocol(&attr, protocol) == 0);
	EXPECT(pthread_mutexattr_setrobust(&attr, robust) == 0);
	EXPECT(pthread_mutexattr_setpshared(&attr, shared) == 0);
	EXPECT(pthread_condattr_init(&c) == 0);
	EXPECT(pthread_condattr_setpshared(&c, shared) == 0);
	SAY(pthread_mutex_init(&s->mutex, &attr));
	EXPECT(pthread_cond_init(&s->cond, &c) == 0);
}

static void *in_vain(void *result)
{
	struct timespec until = after_ms(CLOCK_REALTIME, 5);

	*(int *)result = pthread_mutex_timedlock(&s->mutex, &until);
	return NULL;
}

/* What another thread is told that wants it for 5 ms. */
static int other_tries(void)
{
	pthread_t t;
	int result;

	EXPECT(pthread_create(&t, NULL, in_vain, &result) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	return result;
}

/* --- owners that die ------------------------------------------------------ */

enum way { WAIT, TIMEDWAIT, CLOCKWAIT, WAYS };

static int wait_by(enum way way, long ms)
{
	struct timespec until = after_ms(
		way == TIMEDWAIT ? CLOCK_REALTIME : CLOCK_MONOTONIC, ms);

	if (way == WAIT)
		return pthread_cond_wait(&s->cond, &s->mutex);
	if (way == TIMEDWAIT)
		return pthread_cond_timedwait(&s->cond, &s->mutex, &until);
	return pthread_cond_clockwait(
		&s->cond, &s->mutex, CLOCK_MONOTONIC, &until);
}

static enum way way;

/* The heir leaves it as it is: nobody gets it any more. */
static void *wait_for_owner(void *unused)
{
	int result, place;

	EXPECT(pthread_mutex_lock(&s->mutex) == 0);
	place = s->waiting++;
	while ((result = wait_by(way, 20000)) == 0 && !s->go)
		;
	s->results[place] = result;
	if (result == 0 || result == EOWNERDEAD)
		EXPECT(pthread_mutex_unlock(&s->mutex) == 0);
	return unused;
}

static void *die(void *unused)
{
	EXPECT(pthread_mutex_lock(&s->mutex) == 0);
	s->go = 1;
	EXPECT(pthread_cond_broadcast(&s->cond) == 0);
	pause_ms(2);
	return unused;
}

static void await(int waiting)
{
	while (s->waiting < waiting)
		pause_ms(1);
}

static void say_results(int n)
{
	int heirs = 0, refused = 0;

	for (int i = 0; i < n; i++) {
		heirs += s->results[i] == EOWNERDEAD;
		refused += s->results[i] == ENOTRECOVERABLE;
	}
	printf("%d waited: %d EOWNERDEAD, %d ENOTRECOVERABLE\n", n, heirs,
		refused);
}

/* One heir, and one who is refused; glibc 2.36 forgets a third. */
static void owner_dies(void)
{
	pthread_t t[3];

	for (int i = 0; i < 2; i++)
		EXPECT(pthread_create(&t[i], NULL, wait_for_owner, NULL) == 0);
	await(2);
	EXPECT(pthread_create(&t[2], NULL, die, NULL) == 0);
	for (int i = 0; i < 3; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
	say_results(2);
	SAY(pthread_mutex_lock(&s->mutex));
	SAY(pthread_mutex_consistent(&s->mutex));
	SAY(other_tries());
}

/* Of a process; the condition is not signalled. */
static void process_dies(void)
{
	pthread_t t;
	int status;
	pid_t pid;

	EXPECT(pthread_create(&t, NULL, wait_for_owner, NULL) == 0);
	await(1);
	pid = fork();
	if (pid == 0) {
		die(NULL);
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	say_results(1);
}

static void *die_silently(void *unused)
{
	EXPECT(pthread_mutex_lock(&s->mutex) == 0);
	return unused;
}

/* While this thread waits; it then repairs what it has got. */
static void recover(void)
{
	pthread_t t;
	int result;

	EXPECT(pthread_mutex_lock(&s->mutex) == 0);
	EXPECT(pthread_create(&t, NULL, die_silently, NULL) == 0);
	while ((result = wait_by(TIMEDWAIT, 20)) == ETIMEDOUT)
		;
	printf("recover: %s\n", said(result));
	SAY(pthread_mutex_trylock(&s->mutex));
	SAY(other_tries());
	SAY(pthread_mutex_consistent(&s->mutex));
	SAY(wait_by(CLOCKWAIT, 5));
	SAY(pthread_mutex_unlock(&s->mutex));
	SAY(pthread_mutex_unlock(&s->mutex));
	EXPECT(pthread_join(t, NULL) == 0);
	SAY(pthread_mutex_lock(&s->mutex));
	SAY(pthread_mutex_unlock(&s->mutex));
}

/* A wait with a mutex that is not the caller's. */
static void not_owned(void)
{
	SAY(pthread_mutex_unlock(&s->mutex));
	SAY(wait_by(way, 5));
	SAY(other_tries());
}

static void robust_one(int type, int protocol, int shared)
{
	make(type, protocol, PTHREAD_MUTEX_ROBUST, shared);
	recover();
	for (way = WAIT; way < WAYS; way++) {
		make(type, protocol, PTHREAD_MUTEX_ROBUST, shared);
		not_owned();
		make(type, protocol, PTHREAD_MUTEX_ROBUST, shared);
		owner_dies();
		if (shared == PTHREAD_PROCESS_SHARED) {
			make(type, protocol, PTHREAD_MUTEX_ROBUST, shared);
			process_dies();
		}
	}
}

static void robust(void)
{
	for (int type = PTHREAD_MUTEX_NORMAL; type <= PTHREAD_MUTEX_ERRORCHECK;
		type++) {
		for (int protocol = 0; protocol <= 1; protocol++) {
			robust_one(type, protocol, PTHREAD_PROCESS_PRIVATE);
			robust_one(type, protocol, PTHREAD_PROCESS_SHARED);
		}
	}
}

/* --- priorities that a mutex gives ---------------------------------------- */

static void say_priority(const char *when)
{
	struct sched_param kernel, libc;
	int policy;

	EXPECT(sched_getparam(0, &kernel) == 0);
	EXPECT(pthread_getschedparam(pthread_self(), &policy, &libc) == 0);
	printf("%s: %d %d, %d %d\n", when, sched_getscheduler(0),
		kernel.sched_priority, policy, libc.sched_priority);
}

static int change_ceiling(int to)
{
	int old = -1;
	int result = pthread_mutex_setprioceiling(&s->mutex, to, &old);

	printf("ceiling was %d, now %d: ", old, to);
	return result;
}

static void *count_up(void *unused)
{
	for (int i = 0; i < 50; i++) {
		EXPECT(pthread_mutex_lock(&s->mutex) == 0);
		s->go++;
		sched_yield();
		EXPECT(pthread_mutex_unlock(&s->mutex) == 0);
	}
	return unused;
}

/* Said by who waits for it: the thread goes on when the mutex is unlocked, and
 * that is said at the same time. */
static int raised, raised_from;

static void *raise_ceiling(void *unused)
{
	s->waiting++;
	raised = pthread_mutex_setprioceiling(&s->mutex, 20, &raised_from);
	return unused;
}

static void *wait_to_go(void *unused)
{
	SAY(pthread_mutex_lock(&s->mutex));
	s->waiting++;
	while (!s->go)
		SAY(pthread_cond_wait(&s->cond, &s->mutex));
	say_priority("after the wait");
	SAY(pthread_mutex_unlock(&s->mutex));
	return unused;
}

static void hold_and_change(void)
{
	pthread_t t;
	int again;

	SAY(pthread_mutex_lock(&s->mutex));
	say_priority("locked");
	SAY(again = pthread_mutex_trylock(&s->mutex));
	if (again == 0)
		SAY(pthread_mutex_unlock(&s->mutex));
	SAY(other_tries());
	EXPECT(pthread_create(&t, NULL, raise_ceiling, NULL) == 0);
	await(1);
	pause_ms(10);
	SAY(pthread_mutex_unlock(&s->mutex));
	EXPECT(pthread_join(t, NULL) == 0);
	printf("ceiling was %d, now 20: %s\n", raised_from, said(raised));
	say_priority("unlocked");
}

static void wait_with_ceiling(void)
{
	pthread_t t;

	s->waiting = s->go = 0;
	EXPECT(pthread_create(&t, NULL, wait_to_go, NULL) == 0);
	await(1);
	SAY(pthread_mutex_lock(&s->mutex));
	s->go = 1;
	SAY(pthread_cond_signal(&s->cond));
	SAY(pthread_mutex_unlock(&s->mutex));
	EXPECT(pthread_join(t, NULL) == 0);
	SAY(pthread_mutex_lock(&s->mutex));
	SAY(wait_by(TIMEDWAIT, 5));
	say_priority("waited in vain");
	SAY(pthread_mutex_unlock(&s->mutex));
}

static void *above_the_ceiling(void *unused)
{
	struct sched_param p = { .sched_priority = 15 };

	SAY(pthread_setschedparam(pthread_self(), SCHED_FIFO, &p));
	say_priority("above");
	SAY(change_ceiling(10));
	SAY(pthread_mutex_lock(&s->mutex));
	SAY(change_ceiling(30));
	SAY(pthread_mutex_lock(&s->mutex));
	say_priority("below");
	SAY(wait_by(TIMEDWAIT, 5));
	SAY(pthread_mutex_unlock(&s->mutex));
	SAY(pthread_mutex_unlock(&s->mutex));
	say_priority("in the end");
	return unused;
}

static void protect_one(int type)
{
	pthread_t t;

	make(type, PTHREAD_PRIO_PROTECT, PTHREAD_MUTEX_STALLED,
		PTHREAD_PROCESS_PRIVATE);
	SAY(change_ceiling(10));
	hold_and_change();
	run_threads(4, count_up);
	printf("counted to %d\n", s->go);
	wait_with_ceiling();
	EXPECT(pthread_create(&t, NULL, above_the_ceiling, NULL) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	/* A type without a meaning: refused, but not when it is made. */
	make(type, PTHREAD_PRIO_PROTECT, PTHREAD_MUTEX_ROBUST,
		PTHREAD_PROCESS_PRIVATE);
}

/* Only who has a priority of this kind can be given another. */
static void protect(void)
{
	struct sched_param p = { .sched_priority = 5 };
	int refused = pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);

	SAY(refused);
	if (refused)
		return;
	for (int type = PTHREAD_MUTEX_NORMAL; type <= PTHREAD_MUTEX_ERRORCHECK;
		type++)
		protect_one(type);
}

static const struct target_test tests[] = { { "robust", robust },
	{ "protect", protect } };

int main(int argc, char **argv)
{
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(s != MAP_FAILED);
	EXPECT(setvbuf(stdout, NULL, _IOLBF, 0) == 0);
	TARGET_RUN(tests, argc, argv);
	return 0;
}
