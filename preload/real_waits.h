/*
 * real_waits.h - the functions that wait, and those that end a wait for a lock:
 * part of real.h. (C11's types are the pthread ones; <threads.h> would find
 * core/store/threads.h.)
 */
#ifndef REAL_WAITS_H
#define REAL_WAITS_H

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MUTEX_UNTIL (pthread_mutex_t * m, const struct timespec *until)
#define MUTEX_CLOCK \
	(pthread_mutex_t * m, clockid_t clock, const struct timespec *until)
#define RWLOCK_UNTIL (pthread_rwlock_t * l, const struct timespec *until)
#define RWLOCK_CLOCK \
	(pthread_rwlock_t * l, clockid_t clock, const struct timespec *until)
#define COND_UNTIL \
	(pthread_cond_t * c, pthread_mutex_t * m, const struct timespec *until)
#define COND_CLOCK                                                 \
	(pthread_cond_t * c, pthread_mutex_t * m, clockid_t clock, \
		const struct timespec *until)

/* By what is waited for (enum wait_class); X as in real.h. */
#define WAITS_MUTEX(X)                                                  \
	X(int, pthread_mutex_lock, (pthread_mutex_t * m), (m))          \
	X(int, pthread_mutex_timedlock, MUTEX_UNTIL, (m, until))        \
	X(int, pthread_mutex_clocklock, MUTEX_CLOCK, (m, clock, until)) \
	X(int, mtx_lock, (pthread_mutex_t * m), (m))                    \
	X(int, mtx_timedlock, MUTEX_UNTIL, (m, until))
#define WAITS_RWLOCK(X)                                                     \
	X(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l))          \
	X(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l))          \
	X(int, pthread_rwlock_timedrdlock, RWLOCK_UNTIL, (l, until))        \
	X(int, pthread_rwlock_timedwrlock, RWLOCK_UNTIL, (l, until))        \
	X(int, pthread_rwlock_clockrdlock, RWLOCK_CLOCK, (l, clock, until)) \
	X(int, pthread_rwlock_clockwrlock, RWLOCK_CLOCK, (l, clock, until))

/* What lets those go on. */
#define UNLOCKS_MUTEX(X)                                         \
	X(int, pthread_mutex_unlock, (pthread_mutex_t * m), (m)) \
	X(int, mtx_unlock, (pthread_mutex_t * m), (m))
#define UNLOCKS_RWLOCK(X) \
	X(int, pthread_rwlock_unlock, (pthread_rwlock_t * l), (l))
#define REAL_UNLOCKS(X) UNLOCKS_MUTEX(X) UNLOCKS_RWLOCK(X)

/* Hooked for waits alone. */
#define REAL_WAITS(X) WAITS_MUTEX(X) WAITS_RWLOCK(X)

int mtx_lock(pthread_mutex_t *m);
int mtx_timedlock MUTEX_UNTIL;
int mtx_unlock(pthread_mutex_t *m);

#endif
