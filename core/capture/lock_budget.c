/*
 * lock_budget.c - see lock_budget.h. Context: PP_ANY.
 *
 * A window is a tenth of a second. Its share taken raises the shift at once,
 * and again with each further share: a storm out of nothing takes a few times
 * its share in its first window. Less than a quarter lowers it at the window's
 * end.
 */
#include "pp.h"

#include "lock_budget.h"
#include "rows.h"

static uint32_t share_of(uint32_t per_second)
{
	return PP_MAX(per_second / 10, 1u);
}

static void turn_window(struct lock_budget *b, uint32_t share, uint64_t now)
{
	uint64_t end = atomic_load(&b->window_end);
	uint32_t shift = atomic_load(&b->shift);

	if (now < end || !atomic_compare_exchange_strong(&b->window_end, &end,
				 now + LOCK_BUDGET_WINDOW_NS))
		return;
	/* Nothing at all for whole windows: as many steps down. */
	if (now - end > shift * LOCK_BUDGET_WINDOW_NS)
		atomic_store(&b->shift, 0);
	else if (shift && atomic_load(&b->taken) < share / 4)
		atomic_store(&b->shift, shift - 1);
	atomic_store(&b->taken, 0);
	atomic_store(&b->until_raise, share);
}

static void count_taken(struct lock_budget *b, uint32_t share)
{
	uint32_t taken = atomic_fetch_add(&b->taken, 1) + 1;
	uint32_t limit = atomic_load(&b->until_raise);

	/* 0: another thread is just beginning the first window. */
	if (!limit || taken < limit ||
		!atomic_compare_exchange_strong(
			&b->until_raise, &limit, limit + share))
		return;
	if (atomic_load(&b->shift) < LOCK_BUDGET_SHIFT_MAX)
		atomic_fetch_add(&b->shift, 1);
}

bool lock_budget_take(struct lock_budget *b, uint32_t per_second, uint64_t now,
	uint64_t random, unsigned *ret_shift)
{
	uint32_t share = share_of(per_second);
	unsigned shift;

	turn_window(b, share, now);
	shift = PP_MIN(atomic_load(&b->shift), LOCK_BUDGET_SHIFT_MAX);
	if (random & ((UINT64_C(1) << shift) - 1))
		return false;
	count_taken(b, share);
	*ret_shift = shift;
	return true;
}

bool lock_by_length(
	uint64_t random, uint64_t rate, uint64_t *ns, uint64_t *ret_count)
{
	*ret_count = ROW_ONE;
	if (*ns >= rate)
		return true;
	if (random % rate >= *ns)
		return false;
	*ret_count = ROW_ONE * rate / *ns;
	*ns = rate;
	return true;
}
