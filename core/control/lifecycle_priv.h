/*
 * lifecycle_priv.h - what lifecycle.c and lifecycle_end.c share.
 *
 * Context: PP_ANY.
 */
#ifndef LIFECYCLE_PRIV_H
#define LIFECYCLE_PRIV_H

#include "pp.h"

#include "lifecycle.h"
#include "process.h"
#include "timers.h"

static inline bool lifecycle_wants(enum profile_kind kind)
{
	return (process.settings.profiles & PROFILE_BIT(kind)) != 0;
}

/* Record what the settings ask for, threads from then on. */
void lifecycle_begin_recording(enum timers_from from) PP_ANY;

/* No final profile has been begun. */
bool lifecycle_goes_on(void) PP_ANY;

/* A forked child: whatever its parent's other threads were at. */
void lifecycle_forget_end(void) PP_ANY;

#endif
