/* BUILD: -pthread
 *
 * lock_pairs.c - N times something with a lock that nobody else wants.
 *
 * lock_pairs N [WHAT]: WHAT is one of the table's names or `all`; without, a
 * mutex.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct timespec never = { 1l << 40, 0 };
static sem_t sem;
static mtx_t c11;

static void nothing(void)
{
}

#define OPERATION(name, ...)             \
	static void name##_often(long n) \
	{                                \
		while (n--) {            \
			__VA_ARGS__;     \
		}                        \
	}
OPERATION(mutex, pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex))
OPERATION(try, pthread_mutex_trylock(&mutex); pthread_mutex_unlock(&mutex))
OPERATION(timed, pthread_mutex_timedlock(&mutex, &never);
	  pthread_mutex_unlock(&mutex))
OPERATION(recursive, pthread_mutex_lock(&recursive);
	  pthread_mutex_unlock(&recursive))
OPERATION(rdlock, pthread_rwlock_rdlock(&rwlock);
	  pthread_rwlock_unlock(&rwlock))
OPERATION(wrlock, pthread_rwlock_wrlock(&rwlock);
	  pthread_rwlock_unlock(&rwlock))
OPERATION(signal, pthread_cond_signal(&cond))
OPERATION(broadcast, pthread_cond_broadcast(&cond))
OPERATION(sem, sem_post(&sem); sem_wait(&sem))
OPERATION(once, pthread_once(&once, nothing))
OPERATION(c11, mtx_lock(&c11); mtx_unlock(&c11))

#define ROW(name)                   \
	{                           \
#name, name##_often \
	}
static const struct {
	const char *name;
	void (*often)(long n);
} operations[] = { ROW(mutex), ROW(try), ROW(timed), ROW(recursive),
	ROW(rdlock), ROW(wrlock), ROW(signal), ROW(broadcast), ROW(sem),
	ROW(once), ROW(c11) };

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "mutex";

	if (sem_init(&sem, 0, 0) != 0 || mtx_init(&c11, mtx_plain) != 0)
		return 1;
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		if (strcmp(what, operations[i].name) == 0 ||
			strcmp(what, "all") == 0)
			operations[i].often(argc > 1 ? atol(argv[1]) : 0);
	}
	return 0;
}
