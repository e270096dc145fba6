/*
 * quiet_write.c - see quiet_write.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <sys/resource.h>

#include "quiet_write.h"
#include "sys.h"

#define RAISED (SYS_SIG_BIT(SIGPIPE) | SYS_SIG_BIT(SIGXFSZ))

/* What a failed write(2) sends to its thread. */
static sys_sigset raised_by(long result)
{
	if (result == -EPIPE)
		return SYS_SIG_BIT(SIGPIPE);
	return result == -EFBIG ? SYS_SIG_BIT(SIGXFSZ) : 0;
}

/* Blocked signals wait; one that waited before is the host's and stays. */
static void take_back(sys_sigset set)
{
	static const struct timespec now = { 0, 0 };
	long err;

	do
		err = sys_call4(
			SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set));
	while (err == -EINTR);
}

long quiet_write(int fd, const void *data, size_t len)
{
	static const sys_sigset both = RAISED;
	sys_sigset old, waiting = 0, mine;
	long n;

	(void)sys_sigmask(SIG_BLOCK, &both, &old);
	(void)sys_call2(SYS_rt_sigpending, &waiting, sizeof(waiting));
	n = sys_write(fd, data, len);
	mine = raised_by(n) & ~waiting;
	if (mine)
		take_back(mine);
	sys_restore_signals(&old);
	return n;
}

uint64_t quiet_write_room(void)
{
	struct rlimit64 lim = { RLIM64_INFINITY, RLIM64_INFINITY };

	(void)sys_call4(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &lim);
	return lim.rlim_cur;
}
