/*
 * sample_priv.h - from registers to an interned stack, for the files sample*.c.
 * Context: PP_ANY.
 */
#ifndef SAMPLE_PRIV_H
#define SAMPLE_PRIV_H

#include "pp.h"

#include "arch.h"
#include "frame.h"
#include "process.h"
#include "safe_read.h"
#include "session.h"
#include "thread_state.h"
#include "unwind.h"

/* One sample on its way. */
struct capture {
	struct session *s;
	uint32_t slot; /* threads.h; 0 = none */
	struct unwind_bounds bounds;
	frame_t *frames;
	unsigned depth;
	enum unwind_end end;
};

/*
 * Taken at the entry; in a child that a fork made in the middle, from a host's
 * signal handler, it is not this process's any more (the thread's own
 * generation may be new there already).
 */
static inline bool is_image(uint32_t image)
{
	return process_generation() == image;
}

struct capture capture_begin(struct session *s, struct thread_state *t) PP_ANY;

/* Walk the stack into the thread's scratch area of this level; false if there
 * is none. */
bool capture_walk(struct capture *c, const struct arch_regs *regs, bool exact,
	unsigned level, struct safe_log *log) PP_ANY;

/* Into no parent's session: there it would take room for nothing. 0 = no
 * room. */
uint32_t capture_intern(const struct capture *c) PP_ANY;

#endif
