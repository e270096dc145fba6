/*
 * waits_threads.c - waits of threads for each other but for locks and
 * conditions: semaphores, barriers, ends of threads, initialisations; and
 * sleeps. What does not wait goes straight on.
 *
 * Context: application threads at any moment; sleeps also in the application's
 * signal handlers.
 */
#include "pp.h"

#include "patient.h"
#include "wait_hooks.h"
#include "waits.h"

#define WAIT_ALWAYS(class, result, name, params, args)   \
	result wait_##name params                        \
	{                                                \
		RECORDED(class, result, real.name args); \
	}

/* The low half of a semaphore's first word is its value, on machines of 64 bit
 * and this byte order: semaphore's internaltypes.h of glibc since 2.21. */
static bool is_up(const sem_t *s)
{
	return *(const volatile unsigned *)(const volatile void *)s != 0;
}

#define WAIT_SEM_OF(result, down, name, params, args)                \
	static PP_NOINLINE result name##_down params                 \
	{                                                            \
		RECORDED(WAIT_SEM, result, down args);               \
	}                                                            \
	result wait_##name params                                    \
	{                                                            \
		return is_up(s) ? real.name args : name##_down args; \
	}
#define WAIT_SEM(result, name, params, args) \
	WAIT_SEM_OF(result, real.name, name, params, args)
#define WAIT_SEM_UNTIL(result, name, params, args) \
	WAIT_SEM_OF(result, patient_##name, name, params, args)
WAITS_SEM_NO_LIMIT(WAIT_SEM)
WAITS_SEM_UNTIL(WAIT_SEM_UNTIL)

#define BARRIER(result, name, params, args) \
	WAIT_ALWAYS(WAIT_BARRIER, result, name, params, args)
WAITS_BARRIER(BARRIER)

#define JOIN(result, name, params, args) \
	WAIT_ALWAYS(WAIT_JOIN, result, name, params, args)
WAITS_JOIN(JOIN)

#define SLEEP(result, name, params, args)                          \
	result wait_##name params                                  \
	{                                                          \
		RECORDED(WAIT_SLEEP, result, patient_##name args); \
	}
WAITS_SLEEP(SLEEP)

/* Another thread is at it: pthread_once.c of glibc. */
static bool is_in_progress(const pthread_once_t *once)
{
	return (*(const volatile int *)once & 1) != 0;
}

static PP_NOINLINE int once_in_progress(
	pthread_once_t *once, void (*init)(void))
{
	RECORDED(WAIT_ONCE, int, real.pthread_once(once, init));
}

int wait_pthread_once(pthread_once_t *once, void (*init)(void))
{
	return is_in_progress(once) ? once_in_progress(once, init)
				    : real.pthread_once(once, init);
}

/* The same underneath. */
void wait_call_once(pthread_once_t *once, void (*init)(void))
{
	if (is_in_progress(once))
		(void)once_in_progress(once, init);
	else
		real.call_once(once, init);
}
