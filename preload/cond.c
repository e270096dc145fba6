/*
 * cond.c - waits for conditions. Each releases a mutex first: who has waited
 * for that is charged to the stack that goes to sleep here. The time until the
 * mutex is had again counts as waiting for the condition.
 *
 * All are cancellation points and stay so: nothing is held across the real
 * call that a cancelled thread would have to give back.
 *
 * Context: application threads at any moment.
 */
#include "pp.h"

#include "wait_hooks.h"
#include "waits.h"

PP_NOINLINE void cond_release(pthread_mutex_t *m)
{
	struct release r;

	if (mutex_is_let_go(m) && release_begin(&r, m))
		release_end(&r);
}

#define COND_WAIT(name, params, args)           \
	int wait_##name params                  \
	{                                       \
		COND_WAITED(m, real.name args); \
	}

#define COND (pthread_cond_t * c, pthread_mutex_t * m)
COND_WAIT(pthread_cond_wait, COND, (c, m))
COND_WAIT(pthread_cond_timedwait, COND_UNTIL, (c, m, until))
COND_WAIT(pthread_cond_clockwait, COND_CLOCK, (c, m, clock, until))
COND_WAIT(cnd_wait, COND, (c, m))
COND_WAIT(cnd_timedwait, COND_UNTIL, (c, m, until))
