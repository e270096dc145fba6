/*
 * exit.c - the ways out of this image that run no destructor: _exit and exec.
 *
 * (exit, pthread_exit of main and quick_exit reach the handlers that entry.c
 * registers.) In a vfork child all of this does nothing but pass on.
 *
 * Context: PP_ANY. errno is the real function's.
 */
#include "pp.h"

#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

#include "exec_env.h"
#include "lifecycle.h"
#include "real.h"
#include "sys.h"

int execveat(int dir, const char *path, char *const argv[], char *const envp[],
	int flags);

PP_EXPORT _Noreturn void _exit(int status)
{
	lifecycle_finish();
	real._exit(status);
	__builtin_unreachable();
}

PP_EXPORT _Noreturn void _Exit(int status)
{
	lifecycle_finish();
	real._Exit(status);
	__builtin_unreachable();
}

/* --- exec ----------------------------------------------------------------- */

/* An exec that will fail for want of a file costs no report. */
static bool can_execute(const char *path)
{
	return sys_call3(SYS_faccessat, AT_FDCWD, path, X_OK) == 0;
}

static const char *search_path(void)
{
	for (char **e = environ; e && *e; e++) {
		if (__builtin_strncmp(*e, "PATH=", 5) == 0)
			return *e + 5;
	}
	return "/bin:/usr/bin"; /* confstr(_CS_PATH) */
}

static bool found_in_path(const char *file)
{
	const char *dir = search_path();
	size_t file_len = __builtin_strlen(file);
	char path[PATH_MAX];

	for (;;) {
		size_t len = 0;

		while (dir[len] && dir[len] != ':')
			len++;
		if (len + file_len + 2 <= sizeof(path)) {
			__builtin_memcpy(path, dir, len);
			path[len] = '/';
			__builtin_memcpy(
				path + len + (len > 0), file, file_len + 1);
			if (can_execute(path))
				return true;
		}
		if (!dir[len])
			return false;
		dir += len + 1;
	}
}

static bool can_execute_file(const char *file)
{
	return __builtin_strchr(file, '/') ? can_execute(file)
					   : found_in_path(file);
}

static int exec_path(const char *path, char *const argv[], char *const envp[])
{
	bool ends = lifecycle_is_ours() && can_execute(path);
	int ret;

	EXEC_ENV(envp);
	if (ends)
		ends = lifecycle_exec_begin();
	ret = real.execve(path, argv, envp);
	if (ends)
		lifecycle_exec_failed();
	return ret;
}

static int exec_file(const char *file, char *const argv[], char *const envp[])
{
	bool ends = lifecycle_is_ours() && can_execute_file(file);
	int ret;

	EXEC_ENV(envp);
	if (ends)
		ends = lifecycle_exec_begin();
	ret = real.execvpe(file, argv, envp);
	if (ends)
		lifecycle_exec_failed();
	return ret;
}

PP_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return exec_path(path, argv, envp);
}

PP_EXPORT int execv(const char *path, char *const argv[])
{
	return exec_path(path, argv, environ);
}

PP_EXPORT int execvp(const char *file, char *const argv[])
{
	return exec_file(file, argv, environ);
}

PP_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	return exec_file(file, argv, envp);
}

PP_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	bool ends;
	int ret;

	EXEC_ENV(envp);
	ends = lifecycle_exec_begin();
	ret = real.fexecve(fd, argv, envp);
	if (ends)
		lifecycle_exec_failed();
	return ret;
}

PP_EXPORT int execveat(int dir, const char *path, char *const argv[],
	char *const envp[], int flags)
{
	bool ends;
	int ret;

	EXEC_ENV(envp);
	ends = lifecycle_exec_begin();
	if (real.execveat)
		ret = real.execveat(dir, path, argv, envp, flags);
	else
		ret = (int)syscall(SYS_execveat, dir, path, argv, envp, flags);
	if (ends)
		lifecycle_exec_failed();
	return ret;
}

/* Arguments up to the NULL, first included. */
static size_t count_arguments(const char *first, va_list ap)
{
	size_t n = 0;

	for (const char *a = first; a; a = va_arg(ap, const char *))
		n++;
	return n;
}

/* argv[n + 1], and what follows the NULL for execle. */
static void fill_arguments(
	char **argv, size_t n, const char *first, va_list *ap)
{
	const char *a = first;

	for (size_t i = 0; i < n; i++) {
		argv[i] = (char *)(uintptr_t)a;
		a = va_arg(*ap, const char *);
	}
	argv[n] = NULL;
}

/* On the stack, as in libc: this may be a vfork child. The caller's va_list is
 * left behind the NULL. */
#define ARGUMENTS(argv, first, ap)                                   \
	char **argv;                                                 \
	va_list ap;                                                  \
	size_t argv##_count;                                         \
                                                                     \
	va_start(ap, first);                                         \
	argv##_count = count_arguments(first, ap);                   \
	va_end(ap);                                                  \
	argv = __builtin_alloca((argv##_count + 1) * sizeof(*argv)); \
	va_start(ap, first);                                         \
	fill_arguments(argv, argv##_count, first, &ap)

PP_EXPORT int execl(const char *path, const char *first, ...)
{
	ARGUMENTS(argv, first, ap);
	va_end(ap);
	return exec_path(path, argv, environ);
}

PP_EXPORT int execlp(const char *file, const char *first, ...)
{
	ARGUMENTS(argv, first, ap);
	va_end(ap);
	return exec_file(file, argv, environ);
}

PP_EXPORT int execle(const char *path, const char *first, ...)
{
	char *const *envp;

	ARGUMENTS(argv, first, ap);
	envp = va_arg(ap, char *const *);
	va_end(ap);
	return exec_path(path, argv, envp);
}

PP_EXPORT int posix_spawn(pid_t *pid, const char *path,
	const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	EXEC_ENV(envp);
	return real.posix_spawn(pid, path, actions, attr, argv, envp);
}

PP_EXPORT int posix_spawnp(pid_t *pid, const char *file,
	const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	EXEC_ENV(envp);
	return real.posix_spawnp(pid, file, actions, attr, argv, envp);
}
