/*
 * real.h - the functions our hooks stand in front of.
 *
 * real.NAME is the next definition of NAME behind ours (dlsym RTLD_NEXT: libc's
 * or that of another preloaded library). Each pointer starts at a stub that
 * resolves it and calls on, so a hook needs no NULL test and may run before
 * any constructor. The constructor resolves all of them, so that no dlsym
 * happens later in a handler or in a vfork child. But where libc is directly
 * behind us, which is nearly always, most pointers are left to their stubs, as
 * these then find the function by reading libc's table of names.
 *
 * A hook adds its name to a list here: X(result, name, (parameters), (names)).
 *
 * Context: PP_ANY once real_resolve_all() is done; before that, the first call
 * of each function takes the loader's lock (it is recursive).
 */
#ifndef REAL_H
#define REAL_H

#include <dlfcn.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "pp.h"

#include "real_waits.h"

/* The malloc family. While the calling thread is inside dlsym these serve from
 * a static buffer: real_is_early(). */
#define REAL_HEAP(X)                                                         \
	X(void *, malloc, (size_t size), (size))                             \
	X(void *, calloc, (size_t n, size_t size), (n, size))                \
	X(void *, realloc, (void *p, size_t size), (p, size))                \
	X(void, free, (void *p), (p))                                        \
	X(void *, reallocarray, (void *p, size_t n, size_t size),            \
		(p, n, size))                                                \
	X(void *, memalign, (size_t align, size_t size), (align, size))      \
	X(void *, aligned_alloc, (size_t align, size_t size), (align, size)) \
	X(int, posix_memalign, (void **ret, size_t align, size_t size),      \
		(ret, align, size))                                          \
	X(void *, valloc, (size_t size), (size))                             \
	X(void *, pvalloc, (size_t size), (size))                            \
	X(size_t, malloc_usable_size, (void *p), (p))

/* Functions to which a stub cannot pass on all arguments. */
#define REAL_OPEN(X)                                                       \
	X(long, syscall, (long n, long a, long b, long c, long d, long e), \
		(n, a, b, c, d, e))

/* Everything else. (C11's thrd_t is pthread_t; <threads.h> would find
 * core/store/threads.h.) */
#define REAL_LIFE(X)                                                           \
	X(int, pthread_create,                                                 \
		(pthread_t * t, const pthread_attr_t *attr,                    \
			void *(*start)(void *), void *arg),                    \
		(t, attr, start, arg))                                         \
	X(int, thrd_create, (pthread_t * t, int (*start)(void *), void *arg),  \
		(t, start, arg))                                               \
	X(int, pthread_setname_np, (pthread_t t, const char *name), (t, name)) \
	X(int, sigaction,                                                      \
		(int sig, const struct sigaction *act, struct sigaction *old), \
		(sig, act, old))                                               \
	X(sighandler_t, signal, (int sig, sighandler_t handler),               \
		(sig, handler))                                                \
	X(sighandler_t, sysv_signal, (int sig, sighandler_t handler),          \
		(sig, handler))                                                \
	X(sighandler_t, sigset, (int sig, sighandler_t handler),               \
		(sig, handler))                                                \
	X(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old),     \
		(how, set, old))                                               \
	X(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old), \
		(how, set, old))                                               \
	X(int, siginterrupt, (int sig, int interrupt), (sig, interrupt))       \
	X(int, sighold, (int sig), (sig))                                      \
	X(int, sigsuspend, (const sigset_t *set), (set))                       \
	X(int, pause, (void), ())                                              \
	WAITS_MASKED(X)                                                        \
	X(int, sigwait, (const sigset_t *set, int *ret_sig), (set, ret_sig))   \
	X(int, sigwaitinfo, (const sigset_t *set, siginfo_t *ret_info),        \
		(set, ret_info))                                               \
	X(int, sigtimedwait,                                                   \
		(const sigset_t *set, siginfo_t *ret_info,                     \
			const struct timespec *timeout),                       \
		(set, ret_info, timeout))                                      \
	X(int, signalfd, (int fd, const sigset_t *set, int flags),             \
		(fd, set, flags))                                              \
	X(int, sigpending, (sigset_t * ret_set), (ret_set))                    \
	X(int, sigaltstack, (const stack_t *ss, stack_t *old), (ss, old))      \
	X(void, _exit, (int status), (status))                                 \
	X(void, _Exit, (int status), (status))                                 \
	X(int, execve,                                                         \
		(const char *path, char *const argv[], char *const envp[]),    \
		(path, argv, envp))                                            \
	X(int, execvpe,                                                        \
		(const char *file, char *const argv[], char *const envp[]),    \
		(file, argv, envp))                                            \
	X(int, fexecve, (int fd, char *const argv[], char *const envp[]),      \
		(fd, argv, envp))                                              \
	X(int, posix_spawn,                                                    \
		(pid_t * pid, const char *path,                                \
			const posix_spawn_file_actions_t *actions,             \
			const posix_spawnattr_t *attr, char *const argv[],     \
			char *const envp[]),                                   \
		(pid, path, actions, attr, argv, envp))                        \
	X(int, posix_spawnp,                                                   \
		(pid_t * pid, const char *file,                                \
			const posix_spawn_file_actions_t *actions,             \
			const posix_spawnattr_t *attr, char *const argv[],     \
			char *const envp[]),                                   \
		(pid, file, actions, attr, argv, envp))                        \
	X(void, siglongjmp, (struct __jmp_buf_tag * env, int value),           \
		(env, value))                                                  \
	X(void, longjmp, (struct __jmp_buf_tag * env, int value),              \
		(env, value))                                                  \
	X(void, _longjmp, (struct __jmp_buf_tag * env, int value),             \
		(env, value))                                                  \
	X(void, __longjmp_chk, (struct __jmp_buf_tag * env, int value),        \
		(env, value))                                                  \
	X(int, prctl,                                                          \
		(int option, unsigned long a, unsigned long b,                 \
			unsigned long c, unsigned long d),                     \
		(option, a, b, c, d))                                          \
	X(void *, dlopen, (const char *path, int mode), (path, mode))          \
	X(void *, dlmopen, (Lmid_t space, const char *path, int mode),         \
		(space, path, mode))                                           \
	X(int, dlclose, (void *handle), (handle))                              \
	X(int, setuid, (uid_t id), (id))                                       \
	X(int, setgid, (gid_t id), (id))                                       \
	X(int, seteuid, (uid_t id), (id))                                      \
	X(int, setegid, (gid_t id), (id))                                      \
	X(int, setreuid, (uid_t r, uid_t e), (r, e))                           \
	X(int, setregid, (gid_t r, gid_t e), (r, e))                           \
	X(int, setresuid, (uid_t r, uid_t e, uid_t s), (r, e, s))              \
	X(int, setresgid, (gid_t r, gid_t e, gid_t s), (r, e, s))              \
	X(int, setgroups, (size_t n, const gid_t *list), (n, list))            \
	X(int, initgroups, (const char *user, gid_t group), (user, group))

/* Not hooked, but libc's, which we call in few programs: each that the loader
 * bound would cost every start 600 instructions. */
#define REAL_RARE(X)                                                         \
	X(int, dladdr, (const void *p, Dl_info *ret), (p, ret))              \
	X(int, dladdr1,                                                      \
		(const void *p, Dl_info *ret, void **ret_more, int flags),   \
		(p, ret, ret_more, flags))                                   \
	X(void *, dlvsym, (void *of, const char *name, const char *version), \
		(of, name, version))                                         \
	X(char *, dlerror, (void), ())                                       \
	X(int, pthread_attr_init, (pthread_attr_t * attr), (attr))           \
	X(int, pthread_attr_destroy, (pthread_attr_t * attr), (attr))        \
	X(int, pthread_attr_getstacksize,                                    \
		(const pthread_attr_t *attr, size_t *ret), (attr, ret))

/* Not in every libc: NULL until real_resolve_all(), and after it when there is
 * none. */
#define REAL_OPTIONAL(X)                                                      \
	X(int, execveat,                                                      \
		(int dir, const char *path, char *const argv[],               \
			char *const envp[], int flags),                       \
		(dir, path, argv, envp, flags))                               \
	X(int, epoll_pwait2,                                                  \
		(int fd, struct epoll_event *events, int most,                \
			const struct timespec *timeout, const sigset_t *set), \
		(fd, events, most, timeout, set))                             \
	X(int, pthread_attr_setsigmask_np,                                    \
		(pthread_attr_t * attr, const sigset_t *set), (attr, set))

/* Not left to their stubs. */
#define REAL_AT_ONCE(X) REAL_HEAP(X) REAL_OPEN(X)
#define REAL_LIST(X) \
	REAL_AT_ONCE(X) REAL_WAITS(X) REAL_UNLOCKS(X) REAL_LIFE(X) REAL_RARE(X)
#define REAL_ALL(X) REAL_LIST(X) REAL_OPTIONAL(X)

/* Pointers to functions and nothing else: real_next.c walks through them. */
struct real {
#define REAL_MEMBER(result, name, params, args) result(*name) params;
	REAL_ALL(REAL_MEMBER)
#undef REAL_MEMBER
};

extern struct real real __attribute__((visibility("hidden")));

/* See to it that no pointer needs dlsym any more. From the constructor. */
void real_resolve_all(void) PP_NORMAL;

/* What a stub asks: by hand if that is all it takes. */
void *real_find(const char *name, uint32_t hash);

/* The next definition of any name behind ours, or NULL: a failure costs two
 * allocations and leaves a message for dlerror(). */
void *real_next(const char *name);
void *real_next_or_null(const char *name); /* leaves no message */
void *real_next_malloc(void); /* which may have been looked up already */
/* End the process if there is none: libc must have it. */
void *real_must(const char *name);
void *real_must_version(const char *name, const char *version);

/* Does p lie in the static buffer? Such memory is never given back: free()
 * ignores it, realloc() copies it (real_early_size() bytes at most). The range
 * is constant, for callers that want to test it themselves. */
#define REAL_EARLY_BYTES 16384u
extern char real_early[REAL_EARLY_BYTES] __attribute__((visibility("hidden")));
static inline bool real_is_early(const void *p)
{
	return (uintptr_t)p - (uintptr_t)real_early < REAL_EARLY_BYTES;
}
size_t real_early_size(const void *p) PP_ANY;
/* Has the buffer ever served? Hardly: a successful dlsym of glibc 2.34 and
 * newer does not allocate. */
bool real_early_used(void) PP_ANY;

#endif
