/*
 * kinds.c - see kinds.h. Context: PP_ANY.
 */
#include "pp.h"

#include "kinds.h"

#define ALLOC                          \
	{ "alloc_objects", "count" },  \
	{                              \
		"alloc_space", "bytes" \
	}
#define INUSE                          \
	{ "inuse_objects", "count" },  \
	{                              \
		"inuse_space", "bytes" \
	}
#define WAITS                          \
	{ "contentions", "count" },    \
	{                              \
		"delay", "nanoseconds" \
	}

static const struct kind kinds[PROFILE_KINDS] = {
	[PROFILE_CPU] = { 2,
		{ { "samples", "count" }, { "cpu", "nanoseconds" } },
		{ "cpu", "nanoseconds" }, ROW_CPU },
	[PROFILE_HEAP] = { 4, { ALLOC, INUSE }, { "space", "bytes" },
		ROW_HEAP },
	[PROFILE_ALLOCS] = { 4, { ALLOC, INUSE }, { "space", "bytes" },
		ROW_HEAP },
	[PROFILE_HEAP_PEAK] = { 2, { INUSE }, { "space", "bytes" }, ROW_HEAP },
	[PROFILE_MUTEX] = { 2, { WAITS }, { "contentions", "count" },
		ROW_MUTEX },
	[PROFILE_BLOCK] = { 2, { WAITS }, { "contentions", "count" },
		ROW_BLOCK },
	[PROFILE_GOROUTINE] = { 1, { { "goroutine", "count" } },
		{ "goroutine", "count" }, ROW_KINDS },
	[PROFILE_THREADCREATE] = { 1, { { "threadcreate", "count" } },
		{ "threadcreate", "count" }, ROW_THREADCREATE },
};

const struct kind *kind_of(enum profile_kind kind)
{
	return &kinds[kind];
}

int64_t kind_period(enum profile_kind kind, const struct settings *s)
{
	if (kind == PROFILE_CPU)
		return 1000000000 / (int64_t)PP_MAX(s->cpu_hz, 1u);
	if (PROFILE_BIT(kind) & PROFILE_HEAP_FAMILY)
		return (int64_t)s->heap_rate;
	return 1;
}
