/*
 * sandbox_calls.c - see sandbox_calls.h.
 */
#include "pp.h"

#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "sandbox_calls.h"
#include "sys.h"

#define CALL(name)                      \
	{                               \
		SYS_##name, 0, false, 0 \
	}
#define MUST_WORK(name)                \
	{                              \
		SYS_##name, 0, true, 0 \
	}
#define CALL_WITH(name, at, value)                       \
	{                                                \
		SYS_##name, at, false, (uint64_t)(value) \
	}

const struct sandbox_call sandbox_calls[] = {
	/* while recording */
	CALL(getpid),
	CALL(gettid),
	CALL_WITH(clock_gettime, 0, CLOCK_MONOTONIC),
	CALL_WITH(clock_gettime, 0, CLOCK_REALTIME),
	CALL_WITH(clock_gettime, 0, CLOCK_PROCESS_CPUTIME_ID),
	CALL_WITH(clock_gettime, 0, UINT32_MAX), /* of another thread */
	CALL(sched_yield),
	CALL_WITH(futex, 1, FUTEX_WAIT_PRIVATE),
	CALL_WITH(futex, 1, FUTEX_WAKE_PRIVATE),
	CALL_WITH(futex, 1, FUTEX_WAIT),
	/* a handler has to end, and a signal to do what it is there for */
	MUST_WORK(rt_sigreturn),
	MUST_WORK(rt_sigprocmask),
	MUST_WORK(rt_sigaction),
	MUST_WORK(rt_tgsigqueueinfo),
	MUST_WORK(tgkill),
	CALL_WITH(rt_sigprocmask, 0, SIG_SETMASK),
	CALL(rt_sigpending),
	CALL(rt_sigtimedwait),
	CALL_WITH(prctl, 0, PR_GET_NAME),
	CALL_WITH(prctl, 0, PR_SET_NAME),
	CALL(getrandom),
	CALL(timer_create),
	CALL(timer_settime),
	CALL(timer_delete),
	/* the session, and memory for a report */
	CALL_WITH(mmap, 2, PROT_READ | PROT_WRITE),
	CALL_WITH(mmap, 3, MAP_SHARED),
	CALL_WITH(mprotect, 2, PROT_READ | PROT_WRITE),
	CALL(munmap),
	CALL(munlock),
	CALL(madvise),
	CALL_WITH(madvise, 2, MADV_POPULATE_WRITE),
	CALL(ftruncate),
	CALL(truncate),
	CALL(statfs),
	CALL(prlimit64),
	CALL(uname),
	CALL(getuid),
	CALL(geteuid),
	/* a helper thread */
	CALL_WITH(clone, 0, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM),
	CALL_WITH(unshare, 0, CLONE_FILES),
	CALL(close_range),
	CALL(nanosleep),
	MUST_WORK(exit),
	/* files */
	CALL_WITH(openat, 2, O_RDONLY | O_CLOEXEC),
	CALL_WITH(openat, 2, O_RDWR | O_CLOEXEC),
	CALL_WITH(openat, 2, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
	CALL_WITH(openat, 2, O_RDONLY | O_CLOEXEC | O_NOFOLLOW),
	CALL_WITH(openat, 2, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC),
	CALL(close),
	CALL(read),
	CALL(pread64),
	CALL(write),
	CALL(fstat),
	CALL(newfstatat),
	CALL(access),
	CALL(faccessat),
	CALL(readlink),
	CALL(getdents64),
	CALL(mkdir),
	CALL(link),
	CALL(rename),
	CALL(renameat2),
	CALL(unlink),
	CALL_WITH(kill, 0, INT32_MAX),
};

const size_t sandbox_calls_count = PP_ARRAY_LEN(sandbox_calls);

const struct sandbox_call sandbox_orphan_calls[] = {
	CALL_WITH(clone, 0,
		CLONE_VM | CLONE_FILES | CLONE_UNTRACED | CLONE_VFORK),
	CALL_WITH(prctl, 0, PR_GET_CHILD_SUBREAPER),
	CALL(wait4),
	CALL(kill),
	/* The rest in a process of its own, which is then gone. */
	CALL_WITH(prctl, 0, PR_SET_CHILD_SUBREAPER),
	CALL(setsid),
	CALL(chdir),
	CALL(sched_getscheduler),
	CALL(sched_setscheduler),
	CALL_WITH(openat, 2, O_RDWR),
	CALL(execve),
};

const size_t sandbox_orphan_calls_count = PP_ARRAY_LEN(sandbox_orphan_calls);
