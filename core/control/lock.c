/*
 * lock.c - see lock.h. Context: PP_ANY.
 */
#include "pp.h"

#include <linux/futex.h>

#include "lock.h"
#include "sys.h"

void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};

	(void)sys_call4(
		SYS_futex, word, FUTEX_WAIT_PRIVATE, value, ns ? &ts : NULL);
}

void futex_wake_all(_Atomic uint32_t *word)
{
	(void)sys_call3(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

bool lock_try(struct lock *l)
{
	uint32_t nobody = 0;

	return atomic_compare_exchange_strong(&l->word, &nobody, 1);
}

/* Drepper, "Futexes are tricky", mutex3: whoever sleeps leaves a 2 behind. */
void lock_take(struct lock *l)
{
	if (lock_try(l))
		return;
	while (atomic_exchange(&l->word, 2) != 0)
		futex_wait(&l->word, 2, 0);
}

bool lock_take_for(struct lock *l, uint64_t ns)
{
	uint64_t end;

	if (lock_try(l))
		return true;
	end = sys_clock_ns(CLOCK_MONOTONIC) + ns;
	while (atomic_exchange(&l->word, 2) != 0) {
		uint64_t now = sys_clock_ns(CLOCK_MONOTONIC);

		if (now >= end)
			return false;
		futex_wait(&l->word, 2, end - now);
	}
	return true;
}

void lock_drop(struct lock *l)
{
	if (atomic_exchange(&l->word, 0) == 2)
		futex_wake_all(&l->word);
}
