/*
 * thread_stacks.h - what all threads of this process were doing at one moment:
 * collected by core/control/all_threads.c, reported by core/report/.
 *
 * Context: data, and PP_ANY.
 */
#ifndef THREAD_STACKS_H
#define THREAD_STACKS_H

#include "pp.h"

#include "asleep.h"
#include "threads.h"

/* In the words of Go's goroutine profile, as far as it has them. */
enum thread_doing {
	DOING_RUNNING,
	DOING_SLEEP,	  /* for a time */
	DOING_SEMACQUIRE, /* in a futex: a lock, condition variable, ... */
	DOING_SELECT,	  /* until one of several descriptors is ready */
	DOING_IO,	  /* in a read, a write, an accept, a connect */
	DOING_SIGNAL,	  /* until a signal comes */
	DOING_CHILD,	  /* until a child changes its state */
	DOING_SYSCALL,	  /* in any other system call */
	DOING_DISK,	  /* cannot be interrupted: a disk, or a page of it */
	DOING_STOPPED,	  /* by a signal or a tracer */
	DOING_PAGE,	  /* sleeps outside a system call */
	DOING_UNKNOWN,
	DOING_COUNT,
};

extern const char thread_doing_names[DOING_COUNT][12]
	__attribute__((visibility("hidden")));

/* What a thread waits for in a hook of ours. */
struct thread_wait {
	uint32_t class; /* enum wait_class; WAIT_CLASSES = nothing */
	uint32_t owner; /* tid of who has it; 0 = not known */
	uint64_t lock;	/* its address; 0 = none */
	uint64_t ns;	/* until now */
};

struct thread_stack {
	uint32_t stack;	 /* stacks.h */
	uint32_t doing;	 /* enum thread_doing */
	uint32_t labels; /* the program's: user_labels.h */
	struct asleep at;
	struct thread_wait wait;
	char name[16]; /* zero padded */
};

struct thread_stacks {
	uint32_t count;
	uint32_t unknown;  /* threads without a stack */
	uint64_t began_ns; /* CLOCK_MONOTONIC */
	uint64_t took_ns;
	struct thread_stack list[];
};

/* What a thread that sleeps as `a` says is doing. */
enum thread_doing thread_doing_of(const struct asleep *a) PP_ANY;

/* Fill in t->wait for a thread that sleeps: `slot` is its own, or NULL. */
void thread_wait_of(struct thread_stack *t, const struct thread_slot *slot,
	uint64_t now) PP_ANY;

/* Who has what t waits for, now; 0 = not known. */
uint32_t thread_owner_of(const struct thread_stack *t) PP_ANY;

#endif
