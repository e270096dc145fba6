/*
 * helper.c - see helper.h. Context: PP_ANY.
 *
 * One mapping: guard page, stack, TLS block (below the thread pointer, where
 * initial-exec offsets of ours and of libc's errno point), thread control
 * block. The helper unmaps it itself, in its last instructions.
 */
#include "pp.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>

#include "helper.h"
#include "own_stack.h"
#include "process.h"
#include "sys.h"
#include "thread_state.h"
#include "threads.h"
#include "timers.h"

#define CONTROL_BLOCK 4096u /* glibc's struct pthread and to spare */
#define FLAGS                                                               \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
		CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |        \
		CLONE_CHILD_CLEARTID)

/* At the lower end of the stack's mapping would be the guard: at its top. */
struct start {
	void (*fn)(void *);
	void *arg;
	void *base;
	size_t bytes;
};

static size_t tls_bytes;
static int tid_word; /* the kernel wants one; nobody reads it */

void helper_init(void)
{
	char *tp = arch_thread_pointer();
	size_t ours = (size_t)(tp - (char *)&thread_state);
	size_t libc = (size_t)(tp - (char *)&errno);

	tls_bytes = pp_round_up(PP_MAX(ours, libc) + PP_PAGE, PP_PAGE);
}

static void leave(void)
{
	struct session *s = process_session_peek();

	if (s && thread_state.slot)
		threads_release(s, thread_state.slot);
	timers_helper_end();
}

static void run(void *arg)
{
	struct start start = *(const struct start *)arg;

	timers_helper_begin();
	(void)sys_call2(SYS_prctl, PR_SET_NAME, "pprofc");
	start.fn(start.arg);
	leave();
	arch_unmap_and_exit(start.base, start.bytes);
}

int helper_run(void (*fn)(void *), void *arg)
{
	size_t extra = tls_bytes + CONTROL_BLOCK;
	sys_sigset old;
	char *tp;
	void *top, *base = own_stack_map(extra, &top);
	struct start *start;
	long tid;

	if (!base)
		return -ENOMEM;
	tp = (char *)top + tls_bytes;
	arch_thread_block_init(tp);
	start = (struct start *)top - 1;
	*start = (struct start){ fn, arg, base, OWN_STACK_BYTES + extra };
	sys_block_signals(&old);
	tid = arch_clone_thread(
		FLAGS, start, &tid_word, &tid_word, tp, run, start);
	sys_restore_signals(&old);
	if (tid < 0)
		(void)sys_munmap(base, OWN_STACK_BYTES + extra);
	return tid < 0 ? (int)tid : 0;
}
