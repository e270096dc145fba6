/*
 * patient.c - see patient.h. errno is the real functions'.
 */
#include "pp.h"

#include <errno.h>

#include "patient.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define LONGEST_S (INT64_C(1) << 32) /* to be reckoned with */

/* --- what is left of a time limit ----------------------------------------- */

static int64_t left_ns(const struct patience *p)
{
	struct timespec now = { 0, 0 };
	int64_t left;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left = p->began + p->limit - (now.tv_sec * NS_PER_S + now.tv_nsec);
	return PP_MAX(left, 0);
}

void patience_ms(struct patience *p, int *timeout)
{
	if (!p->began)
		return;
	if (!p->limit)
		p->limit = *timeout * NS_PER_MS;
	*timeout = (int)((left_ns(p) + NS_PER_MS - 1) / NS_PER_MS);
}

void patience_timespec(struct patience *p, const struct timespec **timeout)
{
	int64_t left;

	if (!p->began || (*timeout)->tv_sec >= LONGEST_S)
		return;
	if (*timeout != &p->left)
		p->limit = (*timeout)->tv_sec * NS_PER_S + (*timeout)->tv_nsec;
	left = left_ns(p);
	p->left = (struct timespec){ left / NS_PER_S, left % NS_PER_S };
	*timeout = &p->left;
}

/* --- readiness ------------------------------------------------------------ */

/* With a timeout of 0 there is no sleep; one in memory is for the kernel to
 * read. */
static inline bool may_sleep_ms(int timeout)
{
	return timeout != 0;
}

static inline bool is_limit_ms(int timeout)
{
	return timeout > 0;
}

static inline bool may_sleep(const void *timeout)
{
	(void)timeout;
	return true;
}

static inline bool is_limit(const struct timespec *timeout)
{
	return timeout != NULL;
}

/* The kernel reckons what is left of select's. */
static inline bool is_kernels_limit(const struct timeval *timeout)
{
	(void)timeout;
	return false;
}

static inline void kernels_left(
	const struct patience *p, struct timeval *const *timeout)
{
	(void)p;
	(void)timeout;
}

#define MAY_SLEEP(timeout) \
	_Generic((timeout), int : may_sleep_ms, default : may_sleep)(timeout)
#define IS_LIMITED(timeout) \
	_Generic((timeout), int                   \
		 : is_limit_ms, struct timeval *  \
		 : is_kernels_limit, default      \
		 : is_limit)(timeout)

#define SET_LEFT(timeout) \
	_Generic((timeout), int \
		 : patience_ms, struct timeval * \
		 : kernels_left, default \
		 : patience_timespec)

#define POLL(result_type, name, params, args)                            \
	static PP_NOINLINE result_type name##_asleep params              \
	{                                                                \
		struct patience p;                                       \
		result_type result;                                      \
                                                                         \
		patience_begin(&p, IS_LIMITED(timeout));                 \
		for (;;) {                                               \
			result = real.name args;                         \
			if (pp_likely(result != -1) || errno != EINTR || \
				!patient_again(&p.since))                \
				return result;                           \
			SET_LEFT(timeout)(&p, &timeout);                 \
		}                                                        \
	}                                                                \
	result_type patient_##name params                                \
	{                                                                \
		return MAY_SLEEP(timeout) ? name##_asleep args           \
					  : real.name args;              \
	}
WAITS_POLL(POLL)
WAITS_MASKED(POLL)

/* --- semaphores ----------------------------------------------------------- */

#define SEM(result_type, name, params, args)                          \
	result_type patient_##name params                             \
	{                                                             \
		struct interrupted since = interruptions_here();      \
		result_type result;                                   \
                                                                      \
		do                                                    \
			result = real.name args;                      \
		while (pp_unlikely(result == -1) && errno == EINTR && \
			patient_again(&since));                       \
		return result;                                        \
	}
WAITS_SEM_UNTIL(SEM)

/* --- sleeps --------------------------------------------------------------- */

/* What is left after an interruption the kernel knows exactly. */
#define SLEEP(name, ended_early)                                               \
	int patient_##name(const struct timespec *time, struct timespec *left) \
	{                                                                      \
		struct interrupted since = interruptions_here();               \
		struct timespec rest;                                          \
		int result;                                                    \
                                                                               \
		for (;;) {                                                     \
			result = real.name(time, &rest);                       \
			if (!(ended_early))                                    \
				return result;                                 \
			if (!patient_again(&since))                            \
				break;                                         \
			time = &rest;                                          \
		}                                                              \
		if (left)                                                      \
			*left = rest;                                          \
		return result;                                                 \
	}
SLEEP(nanosleep, result == -1 && errno == EINTR)
SLEEP(thrd_sleep, result == -1) /* errno does not tell */

int patient_clock_nanosleep(clockid_t clock, int flags,
	const struct timespec *time, struct timespec *left)
{
	struct interrupted since = interruptions_here();
	bool absolute = (flags & TIMER_ABSTIME) != 0;
	struct timespec rest;
	int result;

	for (;;) {
		result = real.clock_nanosleep(clock, flags, time, &rest);
		if (result != EINTR)
			return result;
		if (!patient_again(&since))
			break;
		if (!absolute)
			time = &rest;
	}
	if (left && !absolute)
		*left = rest;
	return result;
}

/* These two do not tell what is left to a part of a second, so they are made of
 * nanosleep, as in libc. */
int patient_usleep(useconds_t us)
{
	const struct timespec time = { us / 1000000, us % 1000000 * 1000L };

	return patient_nanosleep(&time, NULL);
}

unsigned patient_sleep(unsigned s)
{
	struct timespec time = { s, 0 };
	int saved = errno;

	if (patient_nanosleep(&time, &time) != 0)
		return (unsigned)time.tv_sec;
	errno = saved;
	return 0;
}
