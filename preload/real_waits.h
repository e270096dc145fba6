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

#define WAITS_COND(X)                                                        \
	X(int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t * m), \
		(c, m))                                                      \
	X(int, pthread_cond_timedwait, COND_UNTIL, (c, m, until))            \
	X(int, pthread_cond_clockwait, COND_CLOCK, (c, m, clock, until))     \
	X(int, cnd_wait, (pthread_cond_t * c, pthread_mutex_t * m), (c, m))  \
	X(int, cnd_timedwait, COND_UNTIL, (c, m, until))
#define WAITS_SEM_UNTIL(X)                                                  \
	X(int, sem_timedwait, (sem_t * s, const struct timespec *until),    \
		(s, until))                                                 \
	X(int, sem_clockwait,                                               \
		(sem_t * s, clockid_t clock, const struct timespec *until), \
		(s, clock, until))
#define WAITS_SEM_NO_LIMIT(X) X(int, sem_wait, (sem_t * s), (s))
#define WAITS_SEM(X) WAITS_SEM_NO_LIMIT(X) WAITS_SEM_UNTIL(X)
#define WAITS_BARRIER(X) \
	X(int, pthread_barrier_wait, (pthread_barrier_t * b), (b))
#define WAITS_JOIN(X)                                                    \
	X(int, pthread_join, (pthread_t t, void **ret), (t, ret))        \
	X(int, pthread_timedjoin_np,                                     \
		(pthread_t t, void **ret, const struct timespec *until), \
		(t, ret, until))                                         \
	X(int, pthread_clockjoin_np,                                     \
		(pthread_t t, void **ret, clockid_t clock,               \
			const struct timespec *until),                   \
		(t, ret, clock, until))                                  \
	X(int, thrd_join, (pthread_t t, int *ret), (t, ret))
#define WAITS_ONCE(X)                                                     \
	X(int, pthread_once, (pthread_once_t * once, void (*init)(void)), \
		(once, init))                                             \
	X(void, call_once, (pthread_once_t * once, void (*init)(void)),   \
		(once, init))
#define WAITS_SLEEP(X)                                                    \
	X(int, nanosleep,                                                 \
		(const struct timespec *time, struct timespec *left),     \
		(time, left))                                             \
	X(int, clock_nanosleep,                                           \
		(clockid_t clock, int flags, const struct timespec *time, \
			struct timespec *left),                           \
		(clock, flags, time, left))                               \
	X(int, usleep, (useconds_t us), (us))                             \
	X(unsigned, sleep, (unsigned s), (s))                             \
	X(int, thrd_sleep,                                                \
		(const struct timespec *time, struct timespec *left),     \
		(time, left))
#define WAITS_POLL(X)                                                        \
	X(int, poll, (struct pollfd * fds, nfds_t n, int timeout),           \
		(fds, n, timeout))                                           \
	X(int, __poll_chk,                                                   \
		(struct pollfd * fds, nfds_t n, int timeout, size_t bytes),  \
		(fds, n, timeout, bytes))                                    \
	X(int, select,                                                       \
		(int n, fd_set *r, fd_set *w, fd_set *e,                     \
			struct timeval *timeout),                            \
		(n, r, w, e, timeout))                                       \
	X(int, epoll_wait,                                                   \
		(int fd, struct epoll_event *events, int most, int timeout), \
		(fd, events, most, timeout))
/* Hooked in masks.c, which goes on by these ways. */
#define WAITS_MASKED(X)                                                       \
	X(int, ppoll,                                                         \
		(struct pollfd * fds, nfds_t n,                               \
			const struct timespec *timeout, const sigset_t *set), \
		(fds, n, timeout, set))                                       \
	X(int, __ppoll_chk,                                                   \
		(struct pollfd * fds, nfds_t n,                               \
			const struct timespec *timeout, const sigset_t *set,  \
			size_t bytes),                                        \
		(fds, n, timeout, set, bytes))                                \
	X(int, pselect,                                                       \
		(int n, fd_set *r, fd_set *w, fd_set *e,                      \
			const struct timespec *timeout, const sigset_t *set), \
		(n, r, w, e, timeout, set))                                   \
	X(int, epoll_pwait,                                                   \
		(int fd, struct epoll_event *events, int most, int timeout,   \
			const sigset_t *set),                                 \
		(fd, events, most, timeout, set))
#define WAITS_IO(X)                                                           \
	X(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))         \
	X(ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t room),    \
		(fd, buf, n, room))                                           \
	X(ssize_t, recv, (int fd, void *buf, size_t n, int flags),            \
		(fd, buf, n, flags))                                          \
	X(ssize_t, __recv_chk,                                                \
		(int fd, void *buf, size_t n, size_t room, int flags),        \
		(fd, buf, n, room, flags))                                    \
	X(ssize_t, recvfrom,                                                  \
		(int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG from, \
			socklen_t *len),                                      \
		(fd, buf, n, flags, from, len))                               \
	X(ssize_t, __recvfrom_chk,                                            \
		(int fd, void *buf, size_t n, size_t room, int flags,         \
			__SOCKADDR_ARG from, socklen_t *len),                 \
		(fd, buf, n, room, flags, from, len))                         \
	X(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags),          \
		(fd, msg, flags))                                             \
	X(int, accept, (int fd, __SOCKADDR_ARG from, socklen_t *len),         \
		(fd, from, len))                                              \
	X(int, accept4,                                                       \
		(int fd, __SOCKADDR_ARG from, socklen_t *len, int flags),     \
		(fd, from, len, flags))

/* Those that no signal of ours ends: patient.h. */
#define WAITS_PATIENT(X) \
	WAITS_SEM_UNTIL(X) WAITS_SLEEP(X) WAITS_POLL(X) WAITS_MASKED(X)

/* Hooked for waits alone. */
/* clang-format off */
#define REAL_WAITS(X) \
	WAITS_MUTEX(X) WAITS_RWLOCK(X) WAITS_COND(X) WAITS_SEM(X) \
	WAITS_BARRIER(X) WAITS_JOIN(X) WAITS_ONCE(X) WAITS_SLEEP(X) \
	WAITS_POLL(X) WAITS_IO(X)
/* clang-format on */

/* Not in the headers that are included here, or in none. */
int cnd_wait(pthread_cond_t *c, pthread_mutex_t *m);
int cnd_timedwait COND_UNTIL;
int thrd_join(pthread_t t, int *ret);
int thrd_sleep(const struct timespec *time, struct timespec *left);
void call_once(pthread_once_t *once, void (*init)(void));
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t bytes);
ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
	__SOCKADDR_ARG from, socklen_t *len);
int mtx_lock(pthread_mutex_t *m);
int mtx_timedlock MUTEX_UNTIL;
int mtx_unlock(pthread_mutex_t *m);

#endif
