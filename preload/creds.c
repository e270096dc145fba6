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

#define CHANGE(name, params, args)               \
	PP_EXPORT int name params                \
	{                                        \
		uint32_t image;                  \
		int ret;                         \
                                                 \
		image = lifecycle_creds_begin(); \
		ret = real.name args;            \
		lifecycle_creds_end(image);      \
		return ret;                      \
	}

CHANGE(setuid, (uid_t id), (id))
CHANGE(setgid, (gid_t id), (id))
CHANGE(seteuid, (uid_t id), (id))
CHANGE(setegid, (gid_t id), (id))
CHANGE(setreuid, (uid_t r, uid_t e), (r, e))
CHANGE(setregid, (gid_t r, gid_t e), (r, e))
CHANGE(setresuid, (uid_t r, uid_t e, uid_t s), (r, e, s))
CHANGE(setresgid, (gid_t r, gid_t e, gid_t s), (r, e, s))
CHANGE(setgroups, (size_t n, const gid_t *list), (n, list))
CHANGE(initgroups, (const char *user, gid_t group), (user, group))
