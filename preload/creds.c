/*
 * creds.c - the setuid family.
 *
 * Credentials are per thread in the kernel; glibc changes them in all threads
 * it knows, which our helper threads are not. So none of those runs across such
 * a change: it would write files with rights the program has given up.
 *
 * Context: PP_ANY. errno is the real function's.
 */
#include "pp.h"

#include <grp.h>
#include <unistd.h>

#include "lifecycle.h"
#include "real.h"

/* `user` is the effective user id that is asked for. */
#define CHANGE(name, user, params, args)                      \
	PP_EXPORT int name params                             \
	{                                                     \
		uint32_t image = lifecycle_creds_begin(user); \
		int ret = real.name args;                     \
                                                              \
		lifecycle_creds_end(image);                   \
		return ret;                                   \
	}
#define SAME ((uid_t)-1)

CHANGE(setuid, id, (uid_t id), (id))
CHANGE(setgid, SAME, (gid_t id), (id))
CHANGE(seteuid, id, (uid_t id), (id))
CHANGE(setegid, SAME, (gid_t id), (id))
CHANGE(setreuid, e, (uid_t r, uid_t e), (r, e))
CHANGE(setregid, SAME, (gid_t r, gid_t e), (r, e))
CHANGE(setresuid, e, (uid_t r, uid_t e, uid_t s), (r, e, s))
CHANGE(setresgid, SAME, (gid_t r, gid_t e, gid_t s), (r, e, s))
CHANGE(setgroups, SAME, (size_t n, const gid_t *list), (n, list))
CHANGE(initgroups, SAME, (const char *user, gid_t group), (user, group))
