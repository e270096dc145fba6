/* BUILD: -pthread
 *
 * lock_hostile.c - locks where the rules are at their edge: an owner that dies,
 * a fork while others wait, handlers that lock, jumps out of a wait, deadlocks
 * that are refused. Exits 1, and says where, if anything is not as without us.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "waiting.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *lock_mutex(void *m)
{
	EXPECT(pthread_mutex_lock(m) == 0);
	EXPECT(pthread_mutex_unlock(m) == 0);
	return NULL;
}

/* --- an owner that dies while others wait --------------------------------- */

static pthread_mutex_t robust;
static _Atomic int owned;

static void *die_as_owner(void *unused)
{
	EXPECT(pthread_mutex_lock(&robust) == 0);
	owned = 1;
	pause_ms(50);
	return unused;
}

static TARGET_NOINLINE void heir(void)
{
	int got;

	WAITED(heir, got = pthread_mutex_lock(&robust));
	EXPECT(got == EOWNERDEAD);
	EXPECT(pthread_mutex_consistent(&robust) == 0);
	EXPECT(pthread_mutex_unlock(&robust) == 0);
}

static void owner_dies(void)
{
	pthread_mutexattr_t a;
	pthread_t t;

	EXPECT(pthread_mutexattr_init(&a) == 0);
	EXPECT(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0);
	EXPECT(pthread_mutex_init(&robust, &a) == 0);
	EXPECT(pthread_create(&t, NULL, die_as_owner, NULL) == 0);
	while (!owned)
		pause_ms(1);
	heir();
	EXPECT(pthread_join(t, NULL) == 0);
	EXPECT(pthread_create(&t, NULL, die_as_owner, NULL) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	EXPECT(pthread_mutex_lock(&robust) == EOWNERDEAD);
	EXPECT(pthread_mutex_unlock(&robust) == 0);
	EXPECT(pthread_mutex_lock(&robust) == ENOTRECOVERABLE);
}

/* --- refused at once ------------------------------------------------------ */

static void refused(void)
{
	pthread_mutexattr_t a;
	pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
	pthread_mutex_t m;
	struct timespec until = { 1, 2000000000 };

	EXPECT(pthread_mutexattr_init(&a) == 0);
	EXPECT(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK) == 0);
	EXPECT(pthread_mutex_init(&m, &a) == 0);
	EXPECT(pthread_mutex_unlock(&m) == EPERM);
	EXPECT(pthread_mutex_lock(&m) == 0);
	EXPECT(pthread_mutex_lock(&m) == EDEADLK);
	EXPECT(pthread_mutex_timedlock(&m, &until) == EDEADLK);
	EXPECT(pthread_mutex_unlock(&m) == 0);
	EXPECT(pthread_mutex_lock(&mutex) == 0);
	EXPECT(pthread_mutex_timedlock(&mutex, &until) == EINVAL);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	EXPECT(pthread_rwlock_wrlock(&l) == 0);
	EXPECT(pthread_rwlock_wrlock(&l) == EDEADLK);
	EXPECT(pthread_rwlock_rdlock(&l) == EDEADLK);
	EXPECT(pthread_rwlock_unlock(&l) == 0);
	errno = 77;
	EXPECT(pthread_mutex_lock(&mutex) == 0);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	EXPECT(errno == 77);
}

/* --- forks while others wait ---------------------------------------------- */

static void forks(void)
{
	for (int i = 0; i < 20; i++) {
		pthread_t t[3];
		int status;
		pid_t pid;

		EXPECT(pthread_mutex_lock(&mutex) == 0);
		for (int k = 0; k < 3; k++)
			EXPECT(pthread_create(
				       &t[k], NULL, lock_mutex, &mutex) == 0);
		pause_ms(3);
		pid = fork();
		if (pid == 0) {
			/* Locked, and nobody waits any more. */
			EXPECT(pthread_mutex_unlock(&mutex) == 0);
			EXPECT(pthread_mutex_lock(&mutex) == 0);
			EXPECT(pthread_create(
				       &t[0], NULL, lock_mutex, &mutex) == 0);
			pause_ms(2);
			EXPECT(pthread_mutex_unlock(&mutex) == 0);
			EXPECT(pthread_join(t[0], NULL) == 0);
			exit(0);
		}
		EXPECT(pthread_mutex_unlock(&mutex) == 0);
		for (int k = 0; k < 3; k++)
			EXPECT(pthread_join(t[k], NULL) == 0);
		EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

/* --- handlers ------------------------------------------------------------- */

static sem_t sem;
static sigjmp_buf jump;
static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;

static void post(int sig)
{
	(void)sig;
	EXPECT(sem_post(&sem) == 0);
}

static void lock_other(int sig)
{
	(void)sig;
	EXPECT(pthread_mutex_lock(&other) == 0);
	EXPECT(pthread_mutex_unlock(&other) == 0);
}

static void jump_out(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

static _Atomic pthread_t victim;
static _Atomic int ready;

static void *signalled(void *unused)
{
	victim = pthread_self();
	ready = 1;
	EXPECT(pthread_mutex_lock(&mutex) == 0);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	return unused;
}

/* In the middle of a wait for a lock. */
static void handler_in_wait(void (*handler)(int), void *(*f)(void *))
{
	struct sigaction act = { .sa_handler = handler };
	pthread_t t;

	EXPECT(sigaction(SIGUSR1, &act, NULL) == 0);
	ready = 0;
	EXPECT(pthread_mutex_lock(&mutex) == 0);
	EXPECT(pthread_create(&t, NULL, f, NULL) == 0);
	while (!ready)
		pause_ms(1);
	pause_ms(10);
	EXPECT(pthread_kill(t, SIGUSR1) == 0);
	pause_ms(10);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
}

static void *jumped(void *unused)
{
	ready = 1;
	if (sigsetjmp(jump, 1) == 0) {
		EXPECT(pthread_mutex_lock(&mutex) == 0);
		EXPECT(pthread_mutex_unlock(&mutex) == 0);
	}
	/* Another wait: the one that was left is forgotten. */
	EXPECT(pthread_mutex_lock(&mutex) == 0);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	return unused;
}

static void handlers(void)
{
	EXPECT(sem_init(&sem, 0, 0) == 0);
	handler_in_wait(post, signalled);
	EXPECT(sem_wait(&sem) == 0);
	handler_in_wait(lock_other, signalled);
	handler_in_wait(jump_out, jumped);
}

/* --- handlers on an alternate stack --------------------------------------- */

#define STACK_BYTES (1u << 20)

static char *stacks; /* the thread's, and above it the alternate one */

static void *signalled_above(void *unused)
{
	stack_t above = { .ss_sp = stacks + STACK_BYTES,
		.ss_size = STACK_BYTES };

	EXPECT(sigaltstack(&above, NULL) == 0);
	return signalled(unused);
}

/* The handler waits, too. It is above the wait that it interrupts, which goes
 * on all the same. */
static void alternate(void)
{
	struct sigaction act = { .sa_handler = lock_other,
		.sa_flags = SA_ONSTACK };
	pthread_attr_t attr;
	pthread_t t;

	stacks = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(stacks != MAP_FAILED);
	EXPECT(pthread_attr_init(&attr) == 0);
	EXPECT(pthread_attr_setstack(&attr, stacks, STACK_BYTES) == 0);
	EXPECT(sigaction(SIGUSR1, &act, NULL) == 0);
	EXPECT(pthread_mutex_lock(&mutex) == 0);
	EXPECT(pthread_mutex_lock(&other) == 0);
	EXPECT(pthread_create(&t, &attr, signalled_above, NULL) == 0);
	while (!ready)
		pause_ms(1);
	pause_ms(20);
	EXPECT(pthread_kill(t, SIGUSR1) == 0);
	pause_ms(20);
	EXPECT(pthread_mutex_unlock(&other) == 0);
	pause_ms(20);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
}

/* --- held by another process ---------------------------------------------- */

static void *lock_for_a_moment(void *m)
{
	EXPECT(pthread_mutex_lock(m) == 0);
	pause_ms(1);
	EXPECT(pthread_mutex_unlock(m) == 0);
	return NULL;
}

static void other_process(void)
{
	pthread_mutex_t *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;
	pthread_t t[3];
	int locked[2], status;
	pid_t pid;
	char c;

	EXPECT(m != MAP_FAILED && pipe(locked) == 0);
	EXPECT(pthread_mutexattr_init(&attr) == 0);
	EXPECT(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) ==
		0);
	EXPECT(pthread_mutex_init(m, &attr) == 0);
	pid = fork();
	if (pid == 0) {
		EXPECT(pthread_mutex_lock(m) == 0);
		EXPECT(write(locked[1], "", 1) == 1);
		pause_ms(200);
		EXPECT(pthread_mutex_unlock(m) == 0);
		_exit(0);
	}
	EXPECT(read(locked[0], &c, 1) == 1);
	for (int k = 0; k < 3; k++)
		EXPECT(pthread_create(&t[k], NULL, lock_for_a_moment, m) == 0);
	for (int k = 0; k < 3; k++)
		EXPECT(pthread_join(t[k], NULL) == 0);
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
}

/* --- interrupted ---------------------------------------------------------- */

static void nothing(int sig)
{
	(void)sig;
}

static void *interrupted(void *unused)
{
	ready = 1;
	errno = 0;
	EXPECT(sem_wait(&sem) == -1 && errno == EINTR);
	return unused;
}

static void interrupts(void)
{
	struct sigaction act = { .sa_handler = nothing };
	pthread_t t;

	EXPECT(sigaction(SIGUSR1, &act, NULL) == 0);
	EXPECT(sem_init(&sem, 0, 0) == 0);
	EXPECT(pthread_create(&t, NULL, interrupted, NULL) == 0);
	while (!ready)
		pause_ms(1);
	pause_ms(20);
	EXPECT(pthread_kill(t, SIGUSR1) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
}

static const struct target_test tests[] = { { "owner_dies", owner_dies },
	{ "refused", refused }, { "forks", forks }, { "handlers", handlers },
	{ "interrupts", interrupts }, { "alternate", alternate },
	{ "other_process", other_process } };

int main(int argc, char **argv)
{
	TARGET_RUN(tests, argc, argv);
	print_waited();
	return 0;
}
