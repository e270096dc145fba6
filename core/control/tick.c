/*
 * tick.c - the handler of the CPU timers: see timers.h.
 *
 * Context: PP_ANY, a handler with every signal masked, on whatever stack.
 * Locking: none; entries of the registry are recognised by their generation.
 */
#include "pp.h"

#include "account.h"
#include "all_threads.h"
#include "glibc_thread.h"
#include "process.h"
#include "registry.h"
#include "reporter.h"
#include "sample.h"
#include "timers.h"
#include "unseen.h"

#define CHECK_EVERY 100u /* samples between looks for unseen threads */

static _Atomic uint32_t samples_seen;

/* Whose timer was it? NULL: it is gone. */
static struct counted_thread *owner_of(const siginfo_t *info)
{
	uint64_t value = (uintptr_t)info->si_value.sival_ptr;
	struct counted_thread *t = registry_at((uint32_t)value);

	if (!t || atomic_load(&t->generation) != value >> 32 ||
		atomic_load(&t->timer) != info->si_timerid)
		return NULL;
	return t;
}

/* A scan finds threads of any kind: ask once. */
static bool has_tls(struct counted_thread *t)
{
	if (pp_likely(atomic_load(&t->has_tls)))
		return true;
	if (!glibc_thread_here())
		return false;
	atomic_store(&t->has_tls, true);
	return true;
}

/*
 * Behind the fork gate: see process.handlers. While another thread is making
 * the session nothing is booked, so nothing is lost either: what is not booked
 * is still due when the thread ends.
 */
static void expired(siginfo_t *info, const ucontext_t *uc)
{
	unsigned overrun = (unsigned)PP_MAX(info->si_overrun, 0);
	struct counted_thread *t = owner_of(info);
	bool foreign = t && !has_tls(t);

	if (t && (foreign ? process_session_peek() != NULL
			  : process_session() != NULL)) {
		account_book(t, 1 + (uint64_t)overrun);
		sample_cpu(uc, overrun, foreign);
	}
	if (atomic_fetch_add(&samples_seen, 1) % CHECK_EVERY == 0)
		unseen_look();
}

void timers_handler(int sig, siginfo_t *info, void *context)
{
	uint64_t value = (uintptr_t)info->si_value.sival_ptr;

	(void)sig;
	if (process_generation() == 0)
		return;
	if (info->si_code == SI_QUEUE && value >> 32 == ASKING_MAGIC)
		reporter_ask((uint32_t)value);
	/* Anything else has no meaning to anybody. */
	if (info->si_code != SI_TIMER)
		return;
	atomic_fetch_add(&process.handlers, 1);
	/* Nothing is lost behind a closed gate, for the same reason. */
	if (atomic_load(&process.gate_closed))
		;
	else if (all_threads_asked(value))
		all_threads_here(value, context, !glibc_thread_here());
	else if (process_records(PROFILE_CPU))
		expired(info, context);
	atomic_fetch_sub(&process.handlers, 1);
}
