/*
 * wait_hooks.h - how the hooks of functions that wait go on: way.NAME is the
 * real function where nothing is recorded, else wait_NAME, which looks first;
 * where a signal of ours could end the call, patient_NAME (patient.h).
 * A call that is not recorded takes one instruction more than none, once the
 * first two have found the real function.
 *
 * The functions that release a lock go straight to the real ones, too, as long
 * as nobody in the process waits for any lock.
 */
#ifndef WAIT_HOOKS_H
#define WAIT_HOOKS_H

#include "pp.h"

#include "real.h"
#include "waits.h"

struct way {
#define WAY_MEMBER(result, name, params, args) result(*name) params;
	REAL_WAITS(WAY_MEMBER)
	WAITS_MASKED(WAY_MEMBER)
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
WAITS_MASKED(WAIT_DECLARE)
REAL_UNLOCKS(WAIT_DECLARE)
#undef WAIT_DECLARE

/* mutex.c: does unlocking it release it? Not if it is locked again. */
bool mutex_is_let_go(const pthread_mutex_t *m) PP_ANY;

/* The body of a function that waits for something else than a lock. */
#define RECORDED(class, result_type, call)       \
	do {                                     \
		struct wait wait_;               \
		result_type result_;             \
                                                 \
		wait_begin(&wait_, class, NULL); \
		result_ = call;                  \
		wait_end(&wait_, true);          \
		return result_;                  \
	} while (0)

/* cond.c: the mutex that somebody may wait for is released by a wait for a
 * condition. */
void cond_release(pthread_mutex_t *m) __attribute__((visibility("hidden")));

/* The body of a function that waits for a condition. */
#define COND_WAITED(m, call)                      \
	do {                                      \
		struct wait wait_;                \
		int result_;                      \
                                                  \
		if (release_awaited(m))           \
			cond_release(m);          \
		wait_begin(&wait_, WAIT_COND, m); \
		result_ = call;                   \
		wait_end(&wait_, true);           \
		return result_;                   \
	} while (0)

/* From the constructor, once the settings are read. */
void wait_hooks_start(void) PP_NORMAL;

#endif
