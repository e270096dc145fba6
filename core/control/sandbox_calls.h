/*
 * sandbox_calls.h - the system calls that we make after the start, for those
 * who ask what a seccomp filter does about them.
 *
 * Arguments count where filters are known to look at them; addresses vary.
 */
#ifndef SANDBOX_CALLS_H
#define SANDBOX_CALLS_H

#include "pp.h"

struct sandbox_call {
	uint16_t number;
	uint8_t at;	/* the one argument that is not 0 */
	bool must_work; /* it is not enough that it does no harm */
	uint64_t value;
};

extern const struct sandbox_call sandbox_calls[]
	__attribute__((visibility("hidden")));
extern const size_t sandbox_calls_count __attribute__((visibility("hidden")));

/* Those that start another program (orphan.c). */
extern const struct sandbox_call sandbox_orphan_calls[]
	__attribute__((visibility("hidden")));
extern const size_t sandbox_orphan_calls_count
	__attribute__((visibility("hidden")));

#endif
