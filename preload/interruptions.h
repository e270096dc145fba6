/*
 * interruptions.h - how often handlers of ours, and how often handlers of the
 * host, have come back to what they interrupted: so that a call which nothing
 * but a handler of ours has ended can be made again (patient.c).
 *
 * Counted by the 16 KiB of stack in which the interruption was. Thread-local
 * memory is not there in each thread that takes a signal. Two stacks may share
 * a counter: then a call may end that need not have.
 *
 * Host handlers are not called through us. They return, as all handlers do, to
 * a few instructions that libc has named to the kernel (sa_restorer), and here
 * are others, which count first. A handler that leaves by a jump does not
 * come back to the call either. Handlers that a program installs by the system
 * call itself are not counted.
 *
 * Context: PP_ANY.
 */
#ifndef INTERRUPTIONS_H
#define INTERRUPTIONS_H

#include <errno.h>
#include <signal.h>

#include "pp.h"

#define INTERRUPTIONS_BITS 8
#define INTERRUPTIONS_SHIFT 14
#define INTERRUPTIONS_FACTOR 0x9e3779b1u

/* ours in the lower half, the host's in the upper. */
extern uint64_t interruptions[1u << INTERRUPTIONS_BITS]
	__attribute__((visibility("hidden")));

struct interrupted {
	uint64_t counts[2];
	int err; /* errno */
};

static inline uint32_t interruptions_index(uint32_t block)
{
	return block * INTERRUPTIONS_FACTOR >> (32 - INTERRUPTIONS_BITS);
}

/* Up to now, of what the caller calls. */
static inline __attribute__((always_inline)) struct interrupted
interruptions_here(void)
{
	uint32_t block = (uint32_t)((uintptr_t)__builtin_dwarf_cfa() >>
				    INTERRUPTIONS_SHIFT);

	return (struct interrupted){ .err = errno,
		.counts = {
			__atomic_load_n(
				&interruptions[interruptions_index(block)],
				__ATOMIC_RELAXED),
			__atomic_load_n(
				&interruptions[interruptions_index(block - 1)],
				__ATOMIC_RELAXED),
		} };
}

/* Has a handler of ours run between the two, and none of the host's? */
bool interruptions_ours_alone(
	const struct interrupted *before, const struct interrupted *now) PP_ANY;

/* First thing in a handler of ours: `context` is its third argument. */
void interruptions_count(const void *context) PP_ANY;

/* Once the handler of sig is ours: how libc's handlers return. False if it is
 * not ours. */
bool interruptions_start(int sig) PP_ANY;

/* sigaction() for the host, whose handler shall be counted: in one step, as
 * between two another thread or the handler itself may set another. */
int interruptions_set(int sig, const struct sigaction *act,
	struct sigaction *ret_before) PP_ANY;

/* The sa_restorer that the host would read without us. */
void interruptions_hide(struct sigaction *kernels) PP_ANY;

#endif
