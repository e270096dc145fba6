/*
 * heap.c - the malloc family where there is something to do.
 *
 * The functions that programs are bound to are in hook_page.c: they take the
 * allocation off the countdown, or look into the filter, and jump to the real
 * function or, seldom, here. What the functions here do not do: allocate, wait,
 * log, or touch errno, which stays as the real function left it. Frames of this
 * library are taken off the stacks by address, so how deep in here a walk
 * starts does not matter.
 *
 * free and realloc take an object off the list *before* the real call: once
 * freed, the address may be another thread's and be recorded there.
 *
 * Context: application threads at any moment: before main, in dlopen, in a
 * fork child, in the application's own signal handlers.
 */
#include "pp.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "heap.h"
#include "heap_hooks.h"
#include "real.h"

/* Where the hook page goes on when there is something to do. */
#define SLOW_PATH PP_COLD __attribute__((used, visibility("hidden")))

/* As heap_begin(); until it all begins each allocation comes here. */
static uint64_t begin(size_t size)
{
	if (pp_unlikely(!cxx_new_settled))
		cxx_new_settle();
	return heap_begin(size);
}

#define ALLOCATE_SAMPLED(name, params, args, bytes)             \
	SLOW_PATH void *name##_sampled params;                  \
	void *name##_sampled params                             \
	{                                                       \
		uint64_t weight = begin(bytes);                 \
		void *p = real.name args;                       \
                                                                \
		return weight ? heap_end(p, bytes, weight) : p; \
	}
ALLOCATE_SAMPLED(malloc, (size_t size), (size), size)
/* It may wrap around: then the call fails and counts for nothing. */
ALLOCATE_SAMPLED(calloc, (size_t n, size_t size), (n, size), (n * size))
ALLOCATE_SAMPLED(memalign, (size_t align, size_t size), (align, size), size)
ALLOCATE_SAMPLED(
	aligned_alloc, (size_t align, size_t size), (align, size), size)
ALLOCATE_SAMPLED(valloc, (size_t size), (size), size)
ALLOCATE_SAMPLED(pvalloc, (size_t size), (size), size)

SLOW_PATH int posix_memalign_sampled(void **ret, size_t align, size_t size);
int posix_memalign_sampled(void **ret, size_t align, size_t size)
{
	uint64_t weight = begin(size);
	int err = real.posix_memalign(ret, align, size);

	if (weight)
		(void)heap_end(err ? NULL : *ret, size, weight);
	return err;
}

/*
 * The result counts as a new allocation of the new size, the old one as freed.
 * NULL for a size of 0 is how glibc, jemalloc and tcmalloc say that p is freed;
 * any other NULL leaves p as it was, and its entry, too.
 */
static inline __attribute__((always_inline)) void *realloc_sampled(
	void *p, size_t size, bool due)
{
	uint64_t weight = due ? begin(size) : 0;
	struct sample_held held = { .address = 0 };
	void *q;

	if (p && heap_listed(p))
		heap_hold(p, &held);
	q = real.realloc(p, size);
	if (held.address)
		heap_resized(&held, q || size == 0);
	return weight ? heap_end(q, size, weight) : q;
}

SLOW_PATH void *realloc_due(void *p, size_t size);
void *realloc_due(void *p, size_t size)
{
	return realloc_sampled(p, size, true);
}

SLOW_PATH void *realloc_near(void *p, size_t size);
void *realloc_near(void *p, size_t size)
{
	return realloc_sampled(p, size, false);
}

/*
 * libc's own calls realloc, which arrives here again; that of others may not.
 * So it is counted here, and what it calls is not. It has to be the real one
 * and not our realloc: where a preloaded malloc before us has no reallocarray,
 * libc's finds that malloc's realloc, which ours would not.
 */
SLOW_PATH void *reallocarray_counted(void *p, size_t n, size_t size);
void *reallocarray_counted(void *p, size_t n, size_t size)
{
	size_t bytes = n * size; /* may wrap around, as in calloc */
	uint64_t weight = heap_due(bytes) ? begin(bytes) : 0;
	struct sample_held held = { .address = 0 };
	uint64_t until;
	void *q;

	if (p && heap_listed(p))
		heap_hold(p, &held);
	until = heap_pause();
	q = real.reallocarray(p, n, size);
	heap_resume(until);
	if (held.address)
		heap_resized(&held, q || n == 0 || size == 0);
	return weight ? heap_end(q, bytes, weight) : q;
}

/* Also of cfree and C23's free_sized and free_aligned_sized: what may be said
 * with more words may be said with fewer, so no look-up of names that most
 * libcs do not have. */
SLOW_PATH void free_near(void *p);
void free_near(void *p)
{
	if (filter_has(&process_wiped.filter, p))
		heap_free(p);
	real.free(p);
}

PP_EXPORT size_t malloc_usable_size(void *p)
{
	return real.malloc_usable_size(p);
}

/*
 * Blocks of the static buffer that served while dlsym was at work must not
 * reach the real functions. The test for them goes in between, once and only
 * if there are any, so that it costs nothing in all other programs; and not
 * into the filter, which a fork wipes.
 */
static void (*free_next)(void *p);
static void *(*realloc_next)(void *p, size_t size);
static size_t (*malloc_usable_size_next)(void *p);

static void free_unless_early(void *p)
{
	if (!real_is_early(p))
		free_next(p);
}

static void *realloc_unless_early(void *p, size_t size)
{
	void *q;

	if (!real_is_early(p))
		return realloc_next(p, size);
	q = real.malloc(size);
	if (q)
		memcpy(q, p, PP_MIN(size, real_early_size(p)));
	return q;
}

static size_t malloc_usable_size_unless_early(void *p)
{
	return real_is_early(p) ? real_early_size(p)
				: malloc_usable_size_next(p);
}

static PP_COLD void mind_early_blocks(void)
{
	free_next = real.free;
	realloc_next = real.realloc;
	malloc_usable_size_next = real.malloc_usable_size;
	real.free = free_unless_early;
	real.realloc = realloc_unless_early;
	real.malloc_usable_size = malloc_usable_size_unless_early;
}

bool heap_hooks_start(void)
{
	static const struct bound_name names[] = {
		BOUND_NAME("malloc"),
		BOUND_NAME("calloc"),
		BOUND_NAME("realloc"),
		BOUND_NAME("free"),
	};

	if (real_early_used())
		mind_early_blocks();
	return bound_here(names, PP_ARRAY_LEN(names));
}
