/*
 * sys.h - system calls without libc: no errno, no cancellation, no hook.
 *
 * Each returns its result or -errno. Context: PP_ANY throughout (a seccomp
 * policy may forbid any of them; callers on the sample path use none).
 */
#ifndef SYS_H
#define SYS_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "arch.h"
#include "pp.h"

#define sys_call6(n, a, b, c, d, e, f)                                 \
	arch_syscall6((n), (long)(a), (long)(b), (long)(c), (long)(d), \
		(long)(e), (long)(f))
#define sys_call4(n, a, b, c, d) sys_call6(n, a, b, c, d, 0, 0)
#define sys_call3(n, a, b, c) sys_call6(n, a, b, c, 0, 0, 0)
#define sys_call2(n, a, b) sys_call6(n, a, b, 0, 0, 0, 0)
#define sys_call1(n, a) sys_call6(n, a, 0, 0, 0, 0, 0)
#define sys_call0(n) sys_call6(n, 0, 0, 0, 0, 0, 0)

/* The kernel's signal set: 64 signals in one word. */
typedef uint64_t sys_sigset;
#define SYS_SIG_BIT(sig) (UINT64_C(1) << ((sig)-1))

static inline int sys_getpid(void)
{
	return (int)sys_call0(SYS_getpid);
}

static inline int sys_gettid(void)
{
	return (int)sys_call0(SYS_gettid);
}

static inline int sys_open(const char *path, int flags, int mode)
{
	return (int)sys_call4(
		SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

static inline int sys_close(int fd)
{
	return (int)sys_call1(SYS_close, fd);
}

static inline long sys_read(int fd, void *buf, size_t n)
{
	return sys_call3(SYS_read, fd, buf, n);
}

static inline long sys_write(int fd, const void *buf, size_t n)
{
	return sys_call3(SYS_write, fd, buf, n);
}

static inline long sys_pread(int fd, void *buf, size_t n, uint64_t off)
{
	return sys_call4(SYS_pread64, fd, buf, n, off);
}

static inline int sys_fstat(int fd, struct stat *st)
{
	return (int)sys_call2(SYS_fstat, fd, st);
}

static inline int sys_stat(const char *path, struct stat *st)
{
	return (int)sys_call4(SYS_newfstatat, AT_FDCWD, path, st, 0);
}

static inline int sys_rename(const char *from, const char *to)
{
	return (int)sys_call2(SYS_rename, from, to);
}

static inline int sys_link(const char *from, const char *to)
{
	return (int)sys_call2(SYS_link, from, to);
}

static inline int sys_unlink(const char *path)
{
	return (int)sys_call1(SYS_unlink, path);
}

static inline int sys_mkdir(const char *path, int mode)
{
	return (int)sys_call2(SYS_mkdir, path, mode);
}

static inline long sys_readlink(const char *path, char *buf, size_t n)
{
	return sys_call3(SYS_readlink, path, buf, n);
}

/* By name: a descriptor may be another file by now. */
static inline int sys_truncate(const char *path, uint64_t size)
{
	return (int)sys_call2(SYS_truncate, path, size);
}

/* NULL on failure; ret_err (may be NULL) gets -errno. */
static inline void *sys_mmap(
	size_t len, int prot, int flags, int fd, int *ret_err)
{
	long p = sys_call6(SYS_mmap, 0, len, prot, flags, fd, 0);

	if (p < 0 && p > -4096) {
		if (ret_err)
			*ret_err = (int)p;
		return NULL;
	}
	return (void *)p;
}

/* Fresh zeroed private memory, or NULL. */
static inline void *sys_map_pages(size_t len)
{
	return sys_mmap(len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
}

static inline int sys_munmap(void *p, size_t len)
{
	return (int)sys_call2(SYS_munmap, p, len);
}

static inline int sys_mprotect(void *p, size_t len, int prot)
{
	return (int)sys_call3(SYS_mprotect, p, len, prot);
}

static inline int sys_madvise(void *p, size_t len, int advice)
{
	return (int)sys_call3(SYS_madvise, p, len, advice);
}

static inline int sys_sigmask(int how, const sys_sigset *set, sys_sigset *old)
{
	return (int)sys_call4(
		SYS_rt_sigprocmask, how, set, old, sizeof(sys_sigset));
}

/* Block every signal; the previous mask goes to *old. */
static inline void sys_block_signals(sys_sigset *old)
{
	static const sys_sigset all = ~UINT64_C(0);

	(void)sys_sigmask(SIG_SETMASK, &all, old);
}

static inline void sys_restore_signals(const sys_sigset *old)
{
	(void)sys_sigmask(SIG_SETMASK, old, NULL);
}

/* Nanoseconds of a clock by system call (not the vdso: strict seccomp and a
 * broken vdso both exist); 0 if the clock cannot be read. */
static inline uint64_t sys_clock_ns(int clock)
{
	struct timespec ts = { 0, 0 };

	if (sys_call2(SYS_clock_gettime, clock, &ts) != 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The CPU clock of a thread of this process. */
static inline int sys_thread_cpu_clock(int tid)
{
	return (int)((~(unsigned)tid << 3) | 6u);
}

#endif
