/*
 * old_versions.c - functions of which glibc has an older version that does
 * something else, for programs linked when that was the only one.
 *
 * pthread_cond_wait and pthread_cond_timedwait before 2.3.2 find in the
 * condition a pointer to what is the condition today; posix_spawn and
 * posix_spawnp before 2.15 give a file that is no program to the shell. A
 * program bound to the old version must not come to the new one: it uses the
 * same condition with the old pthread_cond_signal, and would never be woken.
 *
 * Architectures that came to glibc later have one version of each.
 *
 * Context: as cond.c and exit.c. The first call of each function asks dlvsym,
 * which takes the loader's lock.
 */
#include "pp.h"

#if defined(__x86_64__)

#include "exec_env.h"
#include "real.h"
#include "wait_hooks.h"
#include "waits.h"

#define OLD "GLIBC_2.2.5"

/* old_NAME is what a reference to NAME@GLIBC_2.2.5 comes to, and first_NAME
 * where old_real.NAME begins. */
#define OLD_VERSION(name) \
	__asm__(".symver old_" #name ", " #name "@" OLD ", remove")
#define FIRST(name, params, args)                                             \
	static int first_##name params                                        \
	{                                                                     \
		old_real.name = (int(*) params)real_must_version(#name, OLD); \
		return old_real.name args;                                    \
	}

#define SPAWN                                                      \
	(pid_t * pid, const char *path,                            \
		const posix_spawn_file_actions_t *actions,         \
		const posix_spawnattr_t *attr, char *const argv[], \
		char *const envp[])
#define COND (pthread_cond_t * c, pthread_mutex_t * m)

#define OLD_LIST(X)                                                   \
	X(pthread_cond_wait, COND, (c, m))                            \
	X(pthread_cond_timedwait, COND_UNTIL, (c, m, until))          \
	X(posix_spawn, SPAWN, (pid, path, actions, attr, argv, envp)) \
	X(posix_spawnp, SPAWN, (pid, path, actions, attr, argv, envp))

#define MEMBER(name, params, args)       \
	static int first_##name params;  \
	PP_EXPORT int old_##name params; \
	OLD_VERSION(name);
OLD_LIST(MEMBER)
#undef MEMBER

static struct {
#define MEMBER(name, params, args) int(*name) params;
	OLD_LIST(MEMBER)
#undef MEMBER
} old_real = {
#define MEMBER(name, params, args) .name = first_##name,
	OLD_LIST(MEMBER)
#undef MEMBER
};

OLD_LIST(FIRST)

PP_EXPORT int old_pthread_cond_wait COND
{
	if (!waits_wanted(WAIT_COND))
		return old_real.pthread_cond_wait(c, m);
	COND_WAITED(m, old_real.pthread_cond_wait(c, m));
}

PP_EXPORT int old_pthread_cond_timedwait COND_UNTIL
{
	if (!waits_wanted(WAIT_COND))
		return old_real.pthread_cond_timedwait(c, m, until);
	COND_WAITED(m, old_real.pthread_cond_timedwait(c, m, until));
}

PP_EXPORT int old_posix_spawn SPAWN
{
	EXEC_ENV(envp);
	return old_real.posix_spawn(pid, path, actions, attr, argv, envp);
}

PP_EXPORT int old_posix_spawnp SPAWN
{
	EXEC_ENV(envp);
	return old_real.posix_spawnp(pid, path, actions, attr, argv, envp);
}

#endif
