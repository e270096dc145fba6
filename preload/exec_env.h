/*
 * exec_env.h - PPROFC_FOLLOW=no: the environment for a program that is not to
 * be profiled.
 *
 * The copy lies on the caller's stack, because this may be a vfork child, which
 * must not allocate: it would do so in its parent. Only LD_PRELOAD differs, and
 * only our own entry is taken out of it; the host's environ is not changed for
 * it. What libc starts by itself is held back by config.c: mark_not_followed().
 * Context: PP_ANY but for exec_env_start().
 */
#ifndef EXEC_ENV_H
#define EXEC_ENV_H

#include "pp.h"

/* Find out our own name: from here on the functions below do something. From
 * the constructor for PPROFC_FOLLOW=no, and when the program gives up system
 * calls. Then back again. */
void exec_env_start(void) PP_NORMAL;
void exec_env_stop(void) PP_ANY;

/* Bytes that a copy of envp without our entry takes; 0 = envp is right as it
 * is. */
size_t exec_env_bytes(char *const envp[]) PP_ANY;

/* Make the copy in buf. */
char *const *exec_env_copy(void *buf, char *const envp[]) PP_ANY;

/* Replace the variable `envp` of a function by such a copy if needed. */
#define EXEC_ENV(envp)                                               \
	do {                                                         \
		size_t exec_env_n = exec_env_bytes(envp);            \
                                                                     \
		if (exec_env_n)                                      \
			envp = exec_env_copy(                        \
				__builtin_alloca(exec_env_n), envp); \
	} while (0)

#endif
