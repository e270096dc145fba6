/*
 * thread_state.h - what a thread carries in its initial-exec TLS.
 *
 * Read and written by the thread itself and by handlers that interrupt it;
 * nothing here is shared between threads. Valid in any thread at any moment:
 * all zeros is the right start, and `generation` tells whether the rest is of
 * this process image. Context: PP_ANY.
 */
#ifndef THREAD_STATE_H
#define THREAD_STATE_H

#include "pp.h"

#include "lock_table.h"
#include "process.h"

struct memo;
struct user_labels;

#define THREAD_NAME_BYTES 16u /* the kernel's TASK_COMM_LEN */

struct thread_state {
	/* heap.c: bytes (each allocation counts size + 1) until the next
	 * sample. The hooks' fast path subtracts here and nowhere else. */
	uint64_t heap_until;
	uint64_t rng;	     /* 0 = not seeded */
	uint32_t generation; /* process_generation() this state belongs to */
	uint32_t tid;
	uint32_t slot; /* threads.h, 0 = none */
	/* Re-entry guard: > 0 while code of ours runs on this thread outside a
	 * handler. Hooks then pass through unrecorded. */
	volatile uint32_t in_hook;
	volatile uint32_t in_handler;
	uint32_t heap_seeded;	 /* heap.c: heap_until has been drawn */
	uint32_t timed, untimed; /* self_time.c: slow paths till the next */
	/* thread_name.c */
	uint32_t name_of, name_uses;
	char name[THREAD_NAME_BYTES];
	uint32_t end_seen; /* its end will be noticed: memory may be its own */
	uint64_t stack_lo, stack_hi; /* bounds of the stack, 0 = unknown */
	struct memo *memos;	     /* memo.c */
	struct user_labels *labels;  /* user_labels.h; NULL = none */
	/* user_labels.c: where they are being changed; 0 = nowhere */
	volatile uint64_t labels_frame;
	/* Valid while in_hook: nothing of the outermost hook lies above. */
	volatile uint64_t hook_sp;
	/* waits.c: the lock it waits for, and the frame that does */
	const void *lock_frame;
	struct lock_token lock_token;
};

extern __thread struct thread_state thread_state
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The cold part of thread_state_get(). */
void thread_state_renew(struct thread_state *t, uint32_t generation) PP_ANY;

/* The calling thread's state, made valid for this process image: after a fork
 * everything but the countdown is forgotten. Returns NULL in a detached
 * process (generation 0). */
static inline struct thread_state *thread_state_get(void)
{
	struct thread_state *t = &thread_state;
	uint32_t generation = process_generation();

	if (pp_unlikely(generation == 0))
		return NULL;
	if (pp_unlikely(t->generation != generation))
		thread_state_renew(t, generation);
	return t;
}

/* Put the guard up, in a function that a hook calls; what it was before is to
 * be restored: also where a handler's inner hook was left by a jump. */
static inline __attribute__((always_inline)) uint32_t thread_enter_hook(
	struct thread_state *t)
{
	uint32_t was = t->in_hook;

	if (pp_likely(was == 0))
		t->hook_sp = (uintptr_t)__builtin_dwarf_cfa();
	t->in_hook = was + 1;
	return was;
}

/* The calling thread jumps to a frame with this stack pointer, and the guard is
 * up: is the hook's frame left for good, too? Then the guard goes down, and
 * what the hook was about to record is counted as lost. */
void thread_jumps(struct thread_state *t, uint64_t sp) PP_ANY;

/* A uniform random number; seeds itself from the kernel, ids and addresses. */
uint64_t thread_random(struct thread_state *t) PP_ANY;

/* The thread's session slot, taken if needed; 0 when the session is full. */
struct session;
uint32_t thread_slot_of(struct session *s, struct thread_state *t) PP_ANY;

#endif
