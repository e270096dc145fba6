/*
 * sample.h - from "something happened here" to a record in the ring.
 *
 * The three entry points of capture. Context: PP_ANY; each keeps errno (it
 * makes raw system calls only) and never waits.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <sys/ucontext.h>

#include "pp.h"

#include "arch.h"
#include "frame.h"
#include "settings.h"
#include "thread_state.h"

/* A CPU timer of this thread expired 1 + overrun times; `uc` is what the
 * signal interrupted. Handler of the timer signal, all signals blocked. A
 * foreign thread has no variables of a thread that are ours. */
void sample_cpu(const ucontext_t *uc, unsigned overrun, bool foreign) PP_ANY;

/* The stack of what the signal interrupted: an id of stacks.h, or 0. As
 * sample_cpu(), but nothing is recorded. */
uint32_t sample_stack_here(const ucontext_t *uc, bool foreign) PP_ANY;

/* Another thread, on whose account something is charged. */
struct sample_thread {
	uint32_t tid;
	char name[16]; /* zero padded */
};

/* Charge `periods` periods of CPU time to a one-step stack: `leaf` (synthetic)
 * on top of `start` (0 = none). `of` is the thread that used it; NULL = the
 * caller. At thread and process end. */
void sample_cpu_synthetic(enum frame_synthetic leaf, frame_t start,
	uint64_t periods, const struct sample_thread *of) PP_ANY;

/*
 * The mean-R exponential sampler decided to record an allocation: `p` of
 * `size` bytes, weight in 1/ROW_ONE objects. `regs` are those of the hook; the
 * hook's own frames are stripped. `site` is the address the hook returns to.
 * The caller holds thread_state.in_hook.
 */
void sample_alloc(void *p, size_t size, uint64_t objects,
	const struct arch_regs *regs, uint64_t site) PP_ANY;

/* The object at p is about to be freed (or resized): if it was sampled, take
 * it from the live table and record the free. The filter is the caller's. */
void sample_free(void *p) PP_ANY;

/* The stack of a hook, without its own frames: an id of stacks.h, or 0 when the
 * session is full. The caller holds thread_state.in_hook. */
uint32_t sample_hook_stack(struct session *s, struct thread_state *t,
	const struct arch_regs *regs) PP_ANY;

/* realloc: take p out before the real call ... */
struct sample_held {
	uint64_t address; /* 0 = was not sampled */
	uint32_t row, unused;
	uint64_t size, objects;
};
void sample_hold(void *p, struct sample_held *ret) PP_ANY;
/* ... and put it back uncounted when the call failed, or record its free. */
void sample_put_back(const struct sample_held *held) PP_ANY;
void sample_let_go(const struct sample_held *held) PP_ANY;

#endif
