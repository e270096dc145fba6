/*
 * libc_calls.c - what the libraries linked into us call of libc.
 *
 * libunwind, zlib and protobuf-c refer to some thirty functions of libc, mostly
 * in code that we never run. Each one bound by the loader costs every start of
 * a program 600 instructions. Here they are again, hidden, by system calls and
 * in a few lines: nothing of ours that runs often uses them. So what the host
 * or another preload does with these names does not reach us, either.
 *
 * Not here: memcpy, memset, memmove and memcmp, where libc's are worth their
 * binding, and names of hooks, which the linker binds to ours.
 *
 * Context: PP_ANY, but for errno, which libunwind's are told by.
 */
#include "pp.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "signal_uses.h"
#include "sys.h"

/* --- system calls --------------------------------------------------------- */

static long give(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)give(sys_call4(SYS_openat, AT_FDCWD, path, flags, mode));
}

int close(int fd)
{
	return (int)give(sys_close(fd));
}

ssize_t write(int fd, const void *buf, size_t n)
{
	return give(sys_write(fd, buf, n));
}

int fstat(int fd, struct stat *ret)
{
	return (int)give(sys_fstat(fd, ret));
}

int stat(const char *path, struct stat *ret)
{
	return (int)give(sys_stat(path, ret));
}

int pipe2(int ret_fds[2], int flags)
{
	return (int)give(sys_call2(SYS_pipe2, ret_fds, flags));
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)give(
		sys_call6(SYS_mmap, at, len, prot, flags, fd, offset));
}

int munmap(void *at, size_t len)
{
	return (int)give(sys_call2(SYS_munmap, at, len));
}

int msync(void *at, size_t len, int flags)
{
	return (int)give(sys_call3(SYS_msync, at, len, flags));
}

int mincore(void *at, size_t len, unsigned char *ret)
{
	return (int)give(sys_call3(SYS_mincore, at, len, ret));
}

pid_t getpid(void)
{
	return sys_getpid();
}

int getpagesize(void)
{
	return (int)getauxval(AT_PAGESZ);
}

/* libunwind asks for the size of pages. */
long sysconf(int what)
{
	if (what == _SC_PAGESIZE)
		return getpagesize();
	errno = EINVAL;
	return -1;
}

/* In programs that run with more rights than their user: nothing. */
char *secure_getenv(const char *name)
{
	size_t len = strlen(name);

	if (getauxval(AT_SECURE))
		return NULL;
	for (char **e = environ; e && *e; e++)
		if (**e == *name && strncmp(*e, name, len) == 0 &&
			(*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

/* --- strings and sets ----------------------------------------------------- */

/* The empty statement hides from compilers what this is: they would call it. */
size_t strlen(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		__asm__("" : "+r"(n));
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

void *memchr(const void *from, int c, size_t n)
{
	for (const unsigned char *s = from; n > 0; n--, s++)
		if (*s == (unsigned char)c)
			return (void *)(uintptr_t)s;
	return NULL;
}

char *strchr(const char *s, int c)
{
	return memchr(s, c, strlen(s) + 1);
}

char *strrchr(const char *s, int c)
{
	for (size_t n = strlen(s) + 1; n > 0; n--)
		if (s[n - 1] == (char)c)
			return (char *)(uintptr_t)(s + n - 1);
	return NULL;
}

char *stpcpy(char *to, const char *from)
{
	size_t len = strlen(from);

	memcpy(to, from, len + 1);
	return to + len;
}

char *strcpy(char *to, const char *from)
{
	(void)stpcpy(to, from);
	return to;
}

char *strncpy(char *to, const char *from, size_t n)
{
	const char *end = memchr(from, 0, n);
	size_t len = end ? (size_t)(end - from) : n;

	memcpy(to, from, len);
	memset(to + len, 0, n - len);
	return to;
}

/* For what libunwind would say on stderr, were it asked to. */
char *strerror(int number)
{
	static char text[] = "error";

	(void)number;
	return text;
}

/* As libc's: without the two signals that it keeps for itself. */
int sigfillset(sigset_t *set)
{
	sys_sigset kernel = ~(SYS_SIG_BIT(32) | SYS_SIG_BIT(33));

	memset(set, 0xff, sizeof(*set));
	memcpy(set, &kernel, sizeof(kernel));
	return 0;
}

int sigemptyset(sigset_t *set)
{
	memset(set, 0, sizeof(*set));
	return 0;
}

/* --- threads and objects ---------------------------------------------------*/

/* libunwind's have no attributes. */
int pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
	static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

	(void)attr;
	memcpy(m, &fresh, sizeof(fresh));
	return 0;
}

/* Never called: unwind_libunwind.c finds the objects itself. */
int dl_iterate_phdr(
	int (*each)(struct dl_phdr_info *, size_t, void *), void *arg)
{
	(void)each;
	(void)arg;
	return 0;
}

/* --- ends ------------------------------------------------------------------*/

/* By the signal, whatever the program does about it. */
_Noreturn void abort(void)
{
	static const struct signal_kernels by_default;
	sys_sigset bit = SYS_SIG_BIT(SIGABRT);

	(void)sys_call4(SYS_rt_sigaction, SIGABRT, &by_default, NULL,
		sizeof(sys_sigset));
	(void)sys_sigmask(SIG_UNBLOCK, &bit, NULL);
	(void)sys_call3(SYS_tgkill, sys_getpid(), sys_gettid(), SIGABRT);
	__builtin_trap();
}

/* The two by which code compiled elsewhere finds out that it is broken. */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
	abort();
}

_Noreturn void __assert_fail(const char *text, const char *file,
	unsigned int line, const char *function);
_Noreturn void __assert_fail(const char *text, const char *file,
	unsigned int line, const char *function)
{
	(void)text;
	(void)file;
	(void)line;
	(void)function;
	abort();
}
