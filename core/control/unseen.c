/*
 * unseen.c - see unseen.h. Context: PP_ANY.
 *
 * Nobody looks while only threads run that we do not know; their time is then
 * named at the end. A timer on the process's clock would find them, but its
 * signal is the process's: a thread that blocks signals at that moment (as our
 * own handlers do) passes it on to one that sleeps, whose system call ends with
 * EINTR: measured in 2 of 2000 waits.
 */
#include "pp.h"

#include "account.h"
#include "directory.h"
#include "process.h"
#include "registry.h"
#include "residual.h"
#include "sys.h"
#include "unseen.h"

#define MOST_HELPERS 4u

static uint64_t process_base_ns;
static _Atomic uint64_t forgiven_ns;	       /* unseen at the last scan */
static _Atomic uint32_t helpers[MOST_HELPERS]; /* tids */

void unseen_begin(uint64_t process_ns)
{
	process_base_ns = process_ns;
	atomic_store(&forgiven_ns, 0);
}

/* --- threads of ours ------------------------------------------------------ */

void unseen_helper_begin(void)
{
	uint32_t tid = (uint32_t)sys_gettid(), nobody;

	for (unsigned i = 0; i < MOST_HELPERS; i++) {
		nobody = 0;
		if (atomic_compare_exchange_strong(&helpers[i], &nobody, tid))
			return;
	}
}

void unseen_helper_end(void)
{
	uint32_t tid = (uint32_t)sys_gettid(), me;

	account_cover(account_clock_ns(tid));
	for (unsigned i = 0; i < MOST_HELPERS; i++) {
		me = tid;
		if (atomic_compare_exchange_strong(&helpers[i], &me, 0))
			return;
	}
}

void unseen_forget_helpers(void)
{
	for (unsigned i = 0; i < MOST_HELPERS; i++)
		atomic_store(&helpers[i], 0);
}

bool unseen_is_helper(uint32_t tid)
{
	for (unsigned i = 0; i < MOST_HELPERS; i++) {
		if (atomic_load(&helpers[i]) == tid)
			return true;
	}
	return false;
}

/* --- finding threads ------------------------------------------------------ */

static void found(uint32_t tid, bool from_now)
{
	struct counted_thread *t = registry_find(tid);
	uint64_t now;

	if (!t && !unseen_is_helper(tid))
		t = registry_add(tid);
	if (!t || t->first_ns)
		return;
	now = account_clock_ns(tid);
	if (now)
		account_open(t, from_now ? now : 0, now);
	else
		registry_remove(t); /* gone meanwhile */
}

static uint32_t number(const char *s)
{
	uint32_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (uint32_t)(*s++ - '0');
	return *s ? 0 : n;
}

void unseen_scan(bool from_now)
{
	struct directory tasks;
	const char *name;

	if (directory_open(&tasks, "/proc/self/task") != 0)
		return;
	while ((name = directory_next(&tasks))) {
		uint32_t tid = number(name);

		if (tid)
			found(tid, from_now);
	}
	directory_close(&tasks);
}

/* Threads that ended without us: by exit(2), or found by a scan. */
static void sweep(void)
{
	uint32_t n = registry_size();

	for (uint32_t i = 1; i <= n; i++) {
		struct counted_thread *t = registry_at(i);
		uint32_t tid = atomic_load(&t->tid);

		if (!tid || account_clock_ns(tid) != 0)
			continue;
		(void)account_close(t);
		registry_remove(t);
	}
}

/* --- CPU time that is nobody's -------------------------------------------- */

/* CPU time of the process that no account explains. */
static uint64_t unseen_ns(uint64_t process_ns)
{
	uint64_t total = process_ns - process_base_ns;
	uint64_t covered = account_covered_ns();

	return total > covered ? total - covered : 0;
}

static bool too_much_unseen(uint64_t *ret_unseen)
{
	uint64_t now = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t unseen = unseen_ns(now);
	uint64_t slack = (registry_count() + 2) * process.cpu_period_ns;

	*ret_unseen = unseen;
	return unseen >
	       atomic_load(&forgiven_ns) + slack + (now - process_base_ns) / 50;
}

void unseen_look(void)
{
	uint64_t unseen;

	if (!too_much_unseen(&unseen) || !registry_try_lock())
		return;
	unseen_scan(false);
	sweep();
	atomic_store(&forgiven_ns, unseen);
	registry_unlock();
}

void unseen_charge(uint64_t process_ns)
{
	uint64_t unseen = unseen_ns(process_ns), period = process.cpu_period_ns;
	uint64_t periods;

	if (unseen <= (process_ns - process_base_ns) / 50)
		return;
	/* Rounded at random, so that the sum over many processes is right. */
	periods = (unseen + account_random_below(period)) / period;
	residual_charge(FRAME_UNSEEN, 0, periods, NULL);
	account_cover(periods * period);
}
