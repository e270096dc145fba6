/*
 * wait_hooks.h - how the hooks of functions that wait go on: way.NAME is the
 * real function where nothing is recorded, else wait_NAME, which looks first.
 * A call that is not recorded takes one instruction more than none.
 *
 * The functions that release a lock go straight to the real ones, too, as long
 * as nobody in the process waits for any lock.
 */
#ifndef WAIT_HOOKS_H
#define WAIT_HOOKS_H

#include "pp.h"

#include "real.h"

struct way {
#define WAY_MEMBER(result, name, params, args) result(*name) params;
	REAL_WAITS(WAY_MEMBER)
	/* Changed while the program runs: not beside what is only read. */
	struct {
		REAL_UNLOCKS(WAY_MEMBER)
	} __attribute__((aligned(PP_CACHE_LINE)));
#undef WAY_MEMBER
};

extern struct way way __attribute__((visibility("hidden")));

/* What the ways lead to while something is recorded. */
#define WAIT_DECLARE(result, name, params, args) \
	result wait_##name params __attribute__((visibility("hidden")));
REAL_WAITS(WAIT_DECLARE)
REAL_UNLOCKS(WAIT_DECLARE)
#undef WAIT_DECLARE

/* From the constructor, once the settings are read. */
void wait_hooks_start(void) PP_NORMAL;

#endif
