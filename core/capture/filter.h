/*
 * filter.h - can an address be that of a sampled object?
 *
 * Every free() asks, so nearly always the answer has to be no, at once, and out
 * of few cache lines, which the program would like for itself. So there are two
 * looks. The first, in the hook page, is at one counter for 16 KiB of
 * addresses: one cache line for a MiB. (With one for each KiB alone,
 * free's hook took cc1plus half as long again: perf record -e cpu-clock.)
 *
 * The second look is for frees near a sampled object: at the default rate one
 * in 32 where a program uses up to some GiB, one in 8 where it uses 16 GiB. It
 * is at one counter for 819 bytes, and passes less than two frees in a thousand
 * in vain to the live table (one in five at PPROFC_HEAP_RATE=4096), and with 16
 * GiB, as objects far apart come to share counters, one look in 32.
 *
 * The counters lie in process_wiped: what a child inherits is not listed.
 * Context: PP_ANY. Locking: none.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdatomic.h>

#include "pp.h"

#define FILTER_NEAR_SHIFT 14
#define FILTER_NEAR_SLOTS (1u << (32 - FILTER_NEAR_SHIFT))
#define FILTER_SLOTS (1u << 20)

/* Saturating counters: not zero = some sampled object may be there. */
struct filter {
	_Atomic uint8_t near[FILTER_NEAR_SLOTS];
	_Atomic uint8_t at[FILTER_SLOTS];
};

/* By the low 32 bits: one instruction. */
static inline unsigned filter_near_slot(const void *p)
{
	return (uint32_t)(uintptr_t)p >> FILTER_NEAR_SHIFT;
}

/* A counter for 819 bytes, in the order of addresses; malloc's arenas, which
 * lie 64 MiB apart and are used from their start, do not have the same. */
static inline unsigned filter_slot(const void *p)
{
	return (uint32_t)(uintptr_t)p * 5 >> 12;
}
_Static_assert(FILTER_SLOTS == 1u << (32 - 12), "filter_slot() is below");

/* Every address is near a sampled object from now on: nothing is counted for
 * the first look, which would pass nearly all. */
void filter_skip_near(struct filter *f) PP_ANY;

/* The first look, where it is not written out in the hook page. */
static inline __attribute__((always_inline)) bool filter_is_near(
	const struct filter *f, const void *p)
{
	const uint8_t *near = (const uint8_t *)(uintptr_t)f->near;

	return near[filter_near_slot(p)] != 0;
}

/*
 * The second look.
 *
 * A plain load, because gcc folds no atomic one into the comparison. It needs
 * no order of its own: who frees p learned of it after malloc returned, through
 * the host's own synchronisation.
 */
static inline __attribute__((always_inline)) bool filter_has(
	const struct filter *f, const void *p)
{
	const uint8_t *at = (const uint8_t *)(uintptr_t)f->at;

	return at[filter_slot(p)] != 0;
}

static inline void filter_count(_Atomic uint8_t *slot)
{
	uint8_t n = atomic_load_explicit(slot, memory_order_relaxed);

	while (n != UINT8_MAX && !atomic_compare_exchange_weak(slot, &n, n + 1))
		;
}

/* A counter that has been full stays so: it no longer knows how many. Zero
 * means that a fork has wiped it. */
static inline void filter_discount(_Atomic uint8_t *slot)
{
	uint8_t n = atomic_load_explicit(slot, memory_order_relaxed);

	while (n != UINT8_MAX && n != 0 &&
		!atomic_compare_exchange_weak(slot, &n, n - 1))
		;
}

static inline void filter_add(struct filter *f, const void *p)
{
	filter_count(&f->at[filter_slot(p)]);
	filter_count(&f->near[filter_near_slot(p)]);
}

static inline void filter_remove(struct filter *f, const void *p)
{
	filter_discount(&f->near[filter_near_slot(p)]);
	filter_discount(&f->at[filter_slot(p)]);
}

#endif
