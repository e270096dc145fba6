/*
 * process.h - the one process-wide state: settings, session, generation.
 *
 * The session pointer and the generation belong to one process image. After
 * fork, `_Fork` or raw clone the child finds generation 0, because that word
 * lies in a page with MADV_WIPEONFORK: everything of the parent's is then void
 * and the child is detached until process_reborn(). Context: PP_ANY unless
 * said otherwise.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdatomic.h>

#include "pp.h"

#include "filter.h"
#include "lock_table.h"
#include "session.h"
#include "settings.h"

struct process {
	_Atomic uint32_t enabled; /* PROFILE_BIT mask being recorded now; 0 in
				     a dormant process and in a toggled-off CPU
				     (bit PROFILE_CPU) */
	_Atomic(struct session *) session;
	_Atomic uint32_t creating; /* the session: see process.c */
	_Atomic uint32_t closed;   /* final reports done: record nothing */
	/* Samples that came while there was no session, until there is one. */
	_Atomic uint64_t early_stats[STAT_COUNT];
	/* Handlers of ours running now, and forks that keep new ones out. */
	_Atomic uint32_t handlers;
	_Atomic uint32_t gate_closed;
	uint32_t pid;
	uint32_t unused;
	_Atomic int32_t asking_signal; /* session_asking.signal */
	uint64_t text_lo, text_hi;     /* our own code: frames to strip */
	uint64_t start_wall_ns, start_mono_ns;
	uint64_t cpu_period_ns; /* 1e9 / cpu_hz */
	/* Written before `enabled`, then constant. At the end: most of it are
	 * paths, in pages that hardly any program touches. */
	struct settings settings;
};

extern struct process process __attribute__((visibility("hidden")));

/* What fork wipes: whole pages, with nothing else in them (the alignment makes
 * the size a multiple, too). */
struct process_wiped {
	_Atomic uint32_t generation; /* 0 = this image is not set up */
	uint32_t unused[15];
	_Alignas(PP_CACHE_LINE) struct filter filter; /* of free() */
	struct lock_table locks; /* who waits: no one in a child */
} __attribute__((aligned(PP_PAGE)));

extern struct process_wiped process_wiped __attribute__((visibility("hidden")));

/* The current generation; 0 in a detached child. */
static inline uint32_t process_generation(void)
{
	return atomic_load_explicit(
		&process_wiped.generation, memory_order_acquire);
}

/* Set up this image for the first time: marks the wiped pages. Normal context,
 * once, from the constructor. */
void process_start(void) PP_NORMAL;

/* The child's side of fork, or the first slow path in a child that no handler
 * of ours announced: forget the parent's session, take a new generation. The
 * caller re-arms timers. Returns the new generation. */
uint32_t process_reborn(void) PP_ANY;

/* This image's session, created at the first call; NULL when there is none
 * (cannot be created, is being created by somebody else, process detached or
 * closed). Then count the loss with process_count(). */
struct session *process_session(void) PP_ANY;

/*
 * Another thread may be making the session: that takes part of a millisecond,
 * once in a process, and samples that come meanwhile would be lost. Wait until
 * it is there, or until `patience_ns` after its maker began (it may not get a
 * processor, or be stopped for good): so whatever a process does, it waits in
 * vain for no longer than that, once. Its maker waits for nobody, and itself
 * returns from here at once. Not in handlers of ours.
 */
void process_await_session(uint64_t patience_ns) PP_ANY;

/* Hooks, where the host has a call to finish. man/pprofc.7 says so. */
#define PROCESS_HOOK_PATIENCE_NS UINT64_C(50000000)
/* Where a thread or the process ends, and its account with it. */
#define PROCESS_END_PATIENCE_NS UINT64_C(2000000000)

/* For hooks: the session, also if another thread is just making it. The first
 * samples of a program are often many at once. NULL as process_session(). */
struct session *process_session_awaited(void) PP_ANY;

/* The session if there is one already. */
static inline struct session *process_session_peek(void)
{
	return process_generation() == 0
		       ? NULL
		       : atomic_load_explicit(
				 &process.session, memory_order_acquire);
}

/* Count in the session if there is one, else keep it for later. */
void process_count(enum stat_id id, uint64_t n) PP_ANY;

static inline bool process_records(enum profile_kind kind)
{
	return (atomic_load_explicit(&process.enabled, memory_order_relaxed) &
		       PROFILE_BIT(kind)) != 0;
}

#endif
