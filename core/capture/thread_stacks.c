/*
 * thread_stacks.c - see thread_stacks.h. Context: PP_ANY.
 */
#include "pp.h"

#include "safe_read.h"
#include "settings.h"
#include "sys.h"
#include "thread_stacks.h"

const char thread_doing_names[DOING_COUNT][12] = {
	[DOING_RUNNING] = "running",
	[DOING_SLEEP] = "sleep",
	[DOING_SEMACQUIRE] = "semacquire",
	[DOING_SELECT] = "select",
	[DOING_IO] = "IO wait",
	[DOING_SIGNAL] = "signal wait",
	[DOING_CHILD] = "child wait",
	[DOING_SYSCALL] = "syscall",
	[DOING_DISK] = "disk wait",
	[DOING_STOPPED] = "stopped",
	[DOING_PAGE] = "page wait",
	[DOING_UNKNOWN] = "unknown",
};

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 /* Linux 5.11 */
#endif

/* Newer machines lack the older calls of each kind. */
static enum thread_doing doing_of_call(int64_t call)
{
	switch (call) {
	case SYS_futex:
		return DOING_SEMACQUIRE;
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_restart_syscall:
		return DOING_SLEEP;
#ifdef SYS_poll
	case SYS_poll:
	case SYS_select:
	case SYS_epoll_wait:
#endif
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return DOING_SELECT;
	case SYS_read:
	case SYS_readv:
	case SYS_pread64:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_splice:
	case SYS_sendfile:
	case SYS_io_getevents:
		return DOING_IO;
#ifdef SYS_pause
	case SYS_pause:
#endif
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
		return DOING_SIGNAL;
	case SYS_wait4:
	case SYS_waitid:
		return DOING_CHILD;
	case ASLEEP_NO_CALL:
		return DOING_PAGE;
	default:
		return DOING_SYSCALL;
	}
}

enum thread_doing thread_doing_of(const struct asleep *a)
{
	switch (a->state) {
	case 'R':
		return DOING_RUNNING;
	case 'D':
		return DOING_DISK;
	case 'T':
	case 't':
		return DOING_STOPPED;
	case 'S':
		return doing_of_call(a->call);
	default:
		return DOING_UNKNOWN;
	}
}

/* Where glibc keeps the tid of a lock's owner. Read while the thread sleeps
 * that waits for it, so the lock is there. */
#define MUTEX_OWNER 8u
#define RWLOCK_WRITER 24u
#define LOCK_BYTES 56u /* the larger, rwlock */

static uint32_t word_at(uint64_t address)
{
	struct safe_reader mem;
	uint64_t word;

	safe_read_init(&mem);
	return safe_read_unaligned(&mem, address, &word) ? (uint32_t)word : 0;
}

uint32_t thread_owner_of(const struct thread_stack *t)
{
	switch (t->wait.class) {
	case WAIT_MUTEX:
		return word_at(t->wait.lock + MUTEX_OWNER);
	case WAIT_RWLOCK:
		return word_at(t->wait.lock + RWLOCK_WRITER);
	case WAIT_JOIN: /* sleeps until this tid has gone */
		return t->at.call == SYS_futex ? (uint32_t)t->at.args[2] : 0;
	default:
		return 0;
	}
}

/* Of a condition the mutex is noted, which counts once the thread has been
 * signalled and sleeps in that one's futex, its first word. */
static void regard_condition(struct thread_stack *t)
{
	if (t->wait.class != WAIT_COND)
		return;
	if (t->wait.lock && t->at.args[0] == t->wait.lock)
		t->wait.class = WAIT_MUTEX;
	else
		t->wait.lock = 0;
}

/*
 * A thread that left its wait by siglongjmp is still noted as waiting, so it
 * must sleep in a futex, and of a lock in one of its words.
 */
void thread_wait_of(
	struct thread_stack *t, const struct thread_slot *slot, uint64_t now)
{
	static const struct thread_wait nothing = { .class = WAIT_CLASSES };
	uint64_t began = slot && t->at.call == SYS_futex
				 ? atomic_load(&slot->wait_began_ns)
				 : 0;

	t->wait = nothing;
	if (!began)
		return;
	t->wait.class = atomic_load(&slot->wait_class);
	/* The note of a read of a file is left behind, too. */
	if (t->wait.class >= WAIT_SLEEP) {
		t->wait = nothing;
		return;
	}
	t->wait.lock = atomic_load(&slot->wait_lock);
	t->wait.ns = now > began ? now - began : 0;
	regard_condition(t);
	if (t->wait.lock && t->at.args[0] - t->wait.lock >= LOCK_BYTES)
		t->wait = nothing;
}
