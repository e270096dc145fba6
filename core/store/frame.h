/*
 * frame.h - one stack frame in 8 bytes.
 *
 *   bits 0-46  program counter (user addresses of x86-64 and aarch64-47)
 *   bit  47    exact: the pc was interrupted there. Otherwise the pc is a
 *              return address and the call is the byte before it
 *   bits 48-63 module instance: modules.h; 0 = in no known module
 *
 * Frames of module FRAME_SYNTHETIC are names of ours, not addresses.
 * Context: PP_ANY.
 */
#ifndef FRAME_H
#define FRAME_H

#include "pp.h"

typedef uint64_t frame_t;

#define FRAME_PC_MASK ((UINT64_C(1) << 47) - 1)
#define FRAME_EXACT (UINT64_C(1) << 47)
#define FRAME_MODULE_SHIFT 48
#define FRAME_SYNTHETIC 0xffffu

enum frame_synthetic {
	FRAME_TRUNCATED,  /* [truncated]: the walk ended before the start */
	FRAME_TOO_DEEP,	  /* [max depth]: PPROFC_MAX_DEPTH reached */
	FRAME_OVERFLOW,	  /* [overflow]: the memory cap was reached */
	FRAME_THREAD_END, /* [thread end]: residual CPU time of a thread */
	FRAME_UNSEEN,	  /* [thread unseen]: CPU time outside our timers */
	FRAME_NO_STACK,	  /* [stack not known]: of a thread */
	FRAME_SYNTHETICS,
};

static inline frame_t frame_make(uint64_t pc, bool exact, unsigned module)
{
	return (pc & FRAME_PC_MASK) | (exact ? FRAME_EXACT : 0) |
	       ((uint64_t)module << FRAME_MODULE_SHIFT);
}

static inline frame_t frame_synthetic(enum frame_synthetic what)
{
	return frame_make(what, true, FRAME_SYNTHETIC);
}

static inline uint64_t frame_pc(frame_t f)
{
	return f & FRAME_PC_MASK;
}

static inline bool frame_is_exact(frame_t f)
{
	return (f & FRAME_EXACT) != 0;
}

static inline unsigned frame_module(frame_t f)
{
	return (unsigned)(f >> FRAME_MODULE_SHIFT);
}

/* The address to look up and to report: inside the call instruction for a
 * return address (contract 2.6). */
static inline uint64_t frame_address(frame_t f)
{
	return frame_is_exact(f) ? frame_pc(f) : frame_pc(f) - 1;
}

#endif
