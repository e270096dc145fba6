/*
 * unwind.h - walk a stack by our own rule cache: no lock, no allocation, no
 * loader call but the lock-free _dl_find_object, no fault.
 *
 * Context: PP_ANY. Safe to re-enter (a handler may interrupt a walk).
 */
#ifndef UNWIND_H
#define UNWIND_H

#include "pp.h"

#include "arch.h"
#include "frame.h"
#include "session.h"

enum unwind_end {
	UNWIND_COMPLETE,  /* reached a proper end: return address undefined */
	UNWIND_TRUNCATED, /* a frame could not be found: last known one given */
	UNWIND_DEPTH,	  /* `most` frames written and more would follow */
};

/* Bounds of the stack the thread is known to run on; 0, 0 if unknown. Loads
 * outside are probed. */
struct unwind_bounds {
	uint64_t lo, hi;
};

/* Look up what only normal code may (run time address of _dl_find_object, the
 * vdso, the module table used without it). From the constructor. */
void unwind_start(void) PP_NORMAL;

/*
 * Write at most `most` frames, leaf first, starting with the registers given.
 * `exact` says that regs' pc was interrupted (a handler) and is not a call.
 * Frames name module instances of `s`. The first frame is always written.
 * Returns the number of frames; *ret_end says how the walk ended.
 */
unsigned unwind(struct session *s, const struct arch_regs *regs, bool exact,
	struct unwind_bounds bounds, frame_t *frames, unsigned most,
	enum unwind_end *ret_end) PP_ANY;

struct safe_log;

/* The same; what the result depends on goes to *log (safe_read.h): with equal
 * pc, sp, perhaps rbp, and equal words it would give the same frames again, as
 * long as unwind_generation() is the same. */
unsigned unwind_logged(struct session *s, const struct arch_regs *regs,
	bool exact, struct unwind_bounds bounds, struct safe_log *log,
	frame_t *frames, unsigned most, enum unwind_end *ret_end) PP_ANY;

/* The same from a program counter and a stack pointer alone, of a thread that
 * sleeps: asleep.h. All of its stack is probed. */
unsigned unwind_from(struct session *s, uint64_t pc, uint64_t sp,
	frame_t *frames, unsigned most, enum unwind_end *ret_end) PP_ANY;

/* Changes with each unwind_invalidate(). */
uint32_t unwind_generation(void) PP_ANY;

/* Make one frame from an address that is not on any stack (a start function):
 * finds its module instance. */
frame_t unwind_frame_of(struct session *s, uint64_t pc, bool exact) PP_ANY;

/* Code may have come, gone or moved (dlopen, dlclose; a new session, whose
 * module instances differ): rules cached so far are void. */
void unwind_invalidate(void) PP_ANY;

#endif
