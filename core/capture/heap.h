/*
 * heap.h - which allocations are sampled, and what the hooks' slow paths do.
 *
 * The fast path is heap_due() and heap_listed(): a few instructions each, then
 * the hook tail-calls the real function. For the malloc family the first and
 * the first look of the second are written out in the hook page
 * (preload/hook_page.c): change both. Only when one of them says yes:
 *
 *	weight = heap_begin(size);
 *	p = real.malloc(size);
 *	return weight ? heap_end(p, size, weight) : p;
 *
 * Context: PP_ANY. Locking: none; the countdown is the thread's own.
 */
#ifndef HEAP_H
#define HEAP_H

#include "pp.h"

#include "arch.h"
#include "process.h"
#include "sample.h"
#include "thread_state.h"

/*
 * From the constructor, after process_start(): sampling begins. `reached` says
 * that the host's calls of malloc arrive at our hooks; if they do not (it
 * defines malloc itself), nothing is ever recorded, and the log and
 * settings.heap_foreign say so.
 */
void heap_start(bool reached) PP_NORMAL;

/* Whether allocations are sampled at all; after heap_start(), which decides for
 * the whole life of the process and its forked children. */
bool heap_is_on(void) PP_ANY;

/*
 * Take an allocation off the thread's countdown; true when a sample is due.
 *
 * It takes size + 1 bytes, so that malloc(0) has its chance, too. The plain
 * max(size, 1) would cost two instructions more in every call, and the weight
 * undoes either exactly. Of SIZE_MAX it takes nothing: no such allocation
 * succeeds.
 */
static inline __attribute__((always_inline)) bool heap_due(size_t size)
{
	return arch_sub_borrows(&thread_state.heap_until, (uint64_t)size + 1);
}

/* May p be a sampled object? Both looks of filter.h. */
static inline __attribute__((always_inline)) bool heap_listed(const void *p)
{
	return filter_is_near(&process_wiped.filter, p) &&
	       filter_has(&process_wiped.filter, p);
}

/* The longest countdown. Where more is left, an allocation has just taken more
 * than there was and the next gap is about to be drawn. */
#define HEAP_UNTIL_MAX ((uint64_t)INT64_MAX)

/* While the real function may call back into the hooks: nothing is due. */
static inline uint64_t heap_pause(void)
{
	uint64_t until = thread_state.heap_until;

	thread_state.heap_until = HEAP_UNTIL_MAX;
	return until;
}

static inline void heap_resume(uint64_t until)
{
	thread_state.heap_until = until;
}

/*
 * A sample is due for an allocation of `size` bytes: draw the next gap. Returns
 * the weight of the sample, and then the re-entry guard is up until heap_end();
 * or 0 when it is not to be recorded (this image is not set up, or heap
 * profiles are off, or this is an allocation of ours).
 */
uint64_t heap_begin(size_t size) PP_ANY;

/* Record p (nothing if it is NULL) and let the guard down. `regs` are the
 * hook's. */
void heap_record(void *p, size_t size, uint64_t weight,
	const struct arch_regs *regs, uint64_t site) PP_ANY;

/* The same from inside the hook: the stack starts at its frame. */
static inline __attribute__((always_inline)) void *heap_end(
	void *p, size_t size, uint64_t weight)
{
	struct arch_regs regs;

	arch_regs_here(&regs);
	heap_record(
		p, size, weight, &regs, (uintptr_t)__builtin_return_address(0));
	return p;
}

/* The thread jumps out of the middle of something. If that was a hook which has
 * not drawn the next gap yet, nothing would ever be due again: start anew. */
void heap_jumps(void) PP_ANY;

/* p, which is listed, is about to be freed. */
void heap_free(void *p) PP_ANY;

/* realloc of a listed p: before the call, and after it. */
void heap_hold(void *p, struct sample_held *ret) PP_ANY;
void heap_resized(const struct sample_held *held, bool moved_or_freed) PP_ANY;

#endif
