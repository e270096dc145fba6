/*
 * patient.h - calls that sleep, and that the kernel never begins again after a
 * handler, SA_RESTART or not: patient_NAME does, where nothing but handlers of
 * ours has ended the call. The program sees EINTR when a signal of its own
 * came, and only then.
 *
 * The real function is called again, so that it stays a cancellation point and
 * takes its signal mask again, with what is left of its time. (The clock that
 * steps with the kernel's tick is no help in finding that, though it costs a
 * sixth: on a busy virtual machine it is behind by more than a tick.)
 *
 * Context: application threads at any moment, also in its signal handlers.
 */
#ifndef PATIENT_H
#define PATIENT_H

#include <errno.h>

#include "pp.h"

#include "interruptions.h"
#include "process.h"
#include "real.h"

#define PATIENT_DECLARE(result, name, params, args) \
	result patient_##name params __attribute__((visibility("hidden")));
WAITS_PATIENT(PATIENT_DECLARE)
#undef PATIENT_DECLARE

/* Around a call without a time limit:
 *
 *	struct interrupted since = interruptions_here();
 *
 *	do
 *		result = real.NAME(...);
 *	while (result == -1 && errno == EINTR && patient_again(&since));
 *
 * Is it to be called again? */
static inline __attribute__((always_inline)) bool patient_again(
	struct interrupted *since)
{
	struct interrupted now = interruptions_here();

	if (!interruptions_ours_alone(since, &now))
		return false;
	now.err = since->err;
	*since = now;
	errno = now.err;
	return true;
}

/* The same with one: from patience_begin(), `limited` if there is one. Where no
 * signal of ours can come the clock is not read: that may be a system call, of
 * which the program may have given up the right. */
struct patience {
	struct interrupted since;
	int64_t began; /* 0: no limit */
	int64_t limit; /* in ns; 0: not known yet */
	struct timespec left;
};

static inline __attribute__((always_inline)) void patience_begin(
	struct patience *p, bool limited)
{
	struct timespec now;

	p->since = interruptions_here();
	p->began = p->limit = 0;
	if (limited && process_generation() != 0 &&
		clock_gettime(CLOCK_MONOTONIC, &now) == 0)
		p->began = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* When it is called again: *timeout is what is left; of a timespec, `p` has it.
 * (The kernel itself writes that into a timeval.) */
void patience_ms(struct patience *p, int *timeout) PP_ANY;
void patience_timespec(
	struct patience *p, const struct timespec **timeout) PP_ANY;

static inline __attribute__((always_inline)) bool patient_until(
	struct patience *p, const struct timespec **timeout)
{
	if (!patient_again(&p->since))
		return false;
	patience_timespec(p, timeout);
	return true;
}

#endif
