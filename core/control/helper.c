/*
 * helper.c - see helper.h. Context: PP_ANY.
 *
 * One mapping: guard page, stack, TLS block (below the thread pointer, where
 * initial-exec offsets of ours and of libc's errno point), thread control
 * block. The helper unmaps it itself, in its last instructions.
 *
 * A helper has a descriptor table of its own. In the host's, a file we have
 * open takes the number that the host's next open() is sure to get, and closing
 * one drops the record locks (fcntl) the host has on that file: its own
 * executable, for instance, which we read for its symbols. The table begins
 * empty, so that it keeps nothing open that the host closes.
 */
#include "pp.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>

#include "helper.h"
#include "own_stack.h"
#include "own_table.h"
#include "process.h"
#include "sys.h"
#include "thread_state.h"
#include "threads.h"
#include "unseen.h"

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
static _Atomic uint32_t tid_word; /* the kernel wants one; nobody reads it */
static __thread bool is_helper __attribute__((tls_model("initial-exec")));

void helper_init(void)
{
	char *tp = arch_thread_pointer();
	size_t ours = (size_t)(tp - (char *)&thread_state);
	size_t libc = (size_t)(tp - (char *)&errno);

	tls_bytes = pp_round_up(PP_MAX(ours, libc) + PP_PAGE, PP_PAGE);
}

/* A policy may forbid all of it: then the table stays the host's. */
static void take_own_table(void)
{
	if (own_table_take(3) != 0)
		return;
	(void)sys_close(0);
	(void)sys_close(1);
	if (process.settings.log_place != LOG_STDERR)
		(void)sys_close(2);
}

static void leave(void)
{
	struct session *s = process_session_peek();

	if (s && thread_state.slot)
		threads_release(s, thread_state.slot);
	unseen_helper_end();
}

static void run(void *arg)
{
	struct start start = *(const struct start *)arg;

	is_helper = true;
	unseen_helper_begin();
	take_own_table();
	(void)sys_call2(SYS_prctl, PR_SET_NAME, "pprofc");
	start.fn(start.arg);
	leave();
	arch_unmap_and_exit(start.base, start.bytes);
}

/* The kernel stores the tid to *ret_tid before this returns, and 0, with a wake
 * of its futex, when the thread has ended. */
static int start_helper(
	void (*fn)(void *), void *arg, _Atomic uint32_t *ret_tid)
{
	size_t extra = tls_bytes + CONTROL_BLOCK;
	sys_sigset old;
	char *tp;
	void *top, *base = own_stack_map(extra, &top);
	struct start *start;
	int *word = (int *)(uintptr_t)ret_tid;
	long tid;

	if (!base)
		return -ENOMEM;
	tp = (char *)top + tls_bytes;
	arch_thread_block_init(tp);
	start = (struct start *)top - 1;
	*start = (struct start){ fn, arg, base, OWN_STACK_BYTES + extra };
	sys_block_signals(&old);
	tid = arch_clone_thread(FLAGS, start, word, word, tp, run, start);
	sys_restore_signals(&old);
	if (tid < 0)
		(void)sys_munmap(base, OWN_STACK_BYTES + extra);
	return tid < 0 ? (int)tid : 0;
}

int helper_run(void (*fn)(void *), void *arg)
{
	return start_helper(fn, arg, &tid_word);
}

int helper_call(void (*fn)(void *), void *arg)
{
	_Atomic uint32_t running = 0;
	uint32_t tid;
	int err;

	if (is_helper) {
		fn(arg);
		return 0;
	}
	err = start_helper(fn, arg, &running);
	/* Not FUTEX_WAIT_PRIVATE: the kernel's wake is for anybody. */
	while (!err && (tid = atomic_load(&running)) != 0)
		(void)sys_call4(SYS_futex, &running, FUTEX_WAIT, tid, NULL);
	return err;
}
