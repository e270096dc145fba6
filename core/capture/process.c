/*
 * process.c - see process.h. Context: PP_ANY, process_start() but for.
 */
#include "pp.h"

#include <linux/futex.h>

#include "code_gate.h"
#include "log.h"
#include "own_modules.h"
#include "own_stack.h"
#include "process.h"
#include "sys.h"
#include "thread_state.h"
#include "threads.h"
#include "unwind.h"
#include "user_labels.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* Linux 4.14 */
#endif

/* The last of the variables that share pages: see pprofc.ld. */
__attribute__((section(".sbss.process"))) struct process process;

/* Whole pages of zeroes, which are anonymous memory, as MADV_WIPEONFORK
 * demands. */
__attribute__((section(".sbss.wiped"))) struct process_wiped process_wiped;
_Static_assert(sizeof(struct process_wiped) % PP_PAGE == 0,
	"a fork would wipe what lies behind");
_Static_assert(sizeof(struct process_wiped) < 2u << 20,
	"a huge page might be made for its first byte");

/* Survives fork, unlike the generation itself: children count on. */
static uint32_t last_generation;

static _Atomic uint64_t creating_since_ns; /* the session; 0 = not known */

static void take_identity(void)
{
	process.pid = (uint32_t)sys_getpid();
	process.start_wall_ns = sys_clock_ns(CLOCK_REALTIME);
	process.start_mono_ns = sys_clock_ns(CLOCK_MONOTONIC);
	atomic_store_explicit(&process_wiped.generation, ++last_generation,
		memory_order_release);
}

void process_start(void)
{
	/* Old kernels refuse: then pthread_atfork alone detaches children. */
	(void)sys_madvise(
		&process_wiped, sizeof(process_wiped), MADV_WIPEONFORK);
	take_identity();
}

uint32_t process_reborn(void)
{
	struct session *parents = atomic_exchange(&process.session, NULL);

	atomic_store(&process_wiped.generation, 0);
	atomic_store(&process.creating, 0);
	atomic_store(&process.handlers, 0);
	atomic_store(&process.gate_closed, 0);
	for (unsigned i = 0; i < STAT_COUNT; i++)
		atomic_store(&process.early_stats[i], 0);
	atomic_store(&creating_since_ns, 0);
	code_gate_reset();
	own_modules_reset();
	user_labels_forked();
	process.settings.forked = 1;
	/* Code of ours that the fork interrupted may still hold pointers into
	 * the parent's mapping; it re-reads the generation before it stores,
	 * but is past that now and then. */
	if (parents && thread_state.in_hook) {
		if (session_unshare(parents) != 0)
			threads_unshare_scratch(parents, thread_state.slot);
	} else if (parents && !thread_state.in_handler) {
		session_close(parents);
	}
	take_identity();
	return process_generation();
}

static void hand_over_early_stats(struct session *s)
{
	for (unsigned i = 0; i < STAT_COUNT; i++)
		session_count(s, (enum stat_id)i,
			atomic_exchange(&process.early_stats[i], 0));
}

/*
 * process.creating, a futex word: NOBODY, the tid of the maker, NO_MORE. After
 * a failure it stays: one attempt, one log line.
 */
#define NOBODY 0u
#define NO_MORE UINT32_MAX

/* Since when somebody has been at it: whoever asks first sets it. */
static uint64_t creating_began(uint64_t now)
{
	uint64_t since = 0;

	(void)atomic_compare_exchange_strong(&creating_since_ns, &since, now);
	return since ? since : now;
}

static void creating_ended(void)
{
	atomic_store(&process.creating, NO_MORE);
	(void)sys_call3(
		SYS_futex, &process.creating, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

void process_await_session(uint64_t patience_ns)
{
	uint32_t maker = atomic_load(&process.creating);
	uint64_t now, end;

	/* No system call where there is nothing to wait for: sandbox.h. */
	if (process_generation() == 0 || maker == NOBODY || maker == NO_MORE ||
		maker == (uint32_t)sys_gettid())
		return;
	now = sys_clock_ns(CLOCK_MONOTONIC);
	end = creating_began(now) + patience_ns;
	while (now < end && atomic_load(&process.creating) == maker &&
		process_generation() != 0) {
		struct timespec limit = { (time_t)((end - now) / 1000000000u),
			(long)((end - now) % 1000000000u) };

		(void)sys_call4(SYS_futex, &process.creating,
			FUTEX_WAIT_PRIVATE, maker, &limit);
		now = sys_clock_ns(CLOCK_MONOTONIC);
	}
}

static struct session *create_here(void)
{
	struct session *s = NULL;
	uint32_t nobody = NOBODY;
	int err;

	if (!atomic_compare_exchange_strong(
		    &process.creating, &nobody, (uint32_t)sys_gettid()))
		return NULL;
	(void)creating_began(sys_clock_ns(CLOCK_MONOTONIC));
	err = session_create(&process.settings, &s);
	if (err) {
		log_line("cannot create a session (error %d); nothing is "
			 "recorded",
			-err);
		creating_ended();
		return NULL;
	}
	s->start_wall_ns = process.start_wall_ns;
	s->start_mono_ns = process.start_mono_ns;
	atomic_store(&s->asking.signal, atomic_load(&process.asking_signal));
	unwind_invalidate(); /* module instances are the session's */
	hand_over_early_stats(s);
	atomic_store_explicit(&process.session, s, memory_order_release);
	creating_ended();
	return s;
}

/* Making one takes 5 KiB of stack; a coroutine may have 8 in all, as may an
 * alternate stack, of which the kernel has used up 3 before a handler starts.
 */
#define CREATE_STACK_BYTES (16u * 1024)

static void create_into(void *ret_session)
{
	*(struct session **)ret_session = create_here();
}

/* A host's handler that forks in the middle of it would leave two processes
 * with the same shared file. */
static PP_COLD struct session *create_session(void)
{
	struct session *s = NULL;
	sys_sigset old;

	sys_block_signals(&old);
	/* Not in a child that came before, nor in one that has our memory and
	 * another process id: the session would be that child's. */
	if (process_generation() != 0 && (uint32_t)sys_getpid() == process.pid)
		own_stack_run_small(create_into, &s, CREATE_STACK_BYTES);
	sys_restore_signals(&old);
	return s;
}

struct session *process_session(void)
{
	struct session *s;

	if (pp_unlikely(process_generation() == 0 ||
			atomic_load_explicit(
				&process.closed, memory_order_relaxed)))
		return NULL;
	s = atomic_load_explicit(&process.session, memory_order_acquire);
	return pp_likely(s != NULL) ? s : create_session();
}

struct session *process_session_awaited(void)
{
	struct session *s = process_session();

	if (pp_likely(s != NULL))
		return s;
	process_await_session(PROCESS_HOOK_PATIENCE_NS);
	return process_session_peek();
}

void process_count(enum stat_id id, uint64_t n)
{
	struct session *s = process_session_peek();

	if (s)
		session_count(s, id, n);
	else
		atomic_fetch_add(&process.early_stats[id], n);
}
