/*
 * reports.h - writing the profiles of this process, one set at a time.
 *
 * Whoever writes holds the report lock with all signals blocked and runs on a
 * stack of ours. Context: PP_ANY.
 */
#ifndef REPORTS_H
#define REPORTS_H

#include "pp.h"

#include "report.h"

/* Write the kinds of the mask that were asked for in the settings. `live` may
 * be NULL. Gives up silently when another set takes over two seconds. */
void reports_write(uint32_t kinds, enum report_occasion occasion,
	const struct live_copy *live) PP_ANY;

/* Write what another process has asked for, and tell it: session.h. The CPU
 * profile is the one from the start until now. */
void reports_answer(uint32_t asked) PP_ANY;

/* The next REPORT_EXIT set is for an exec: the process goes on, as itself or as
 * another program. */
void reports_before_exec(void) PP_ANY;

/* Delete the files that the last REPORT_EXIT set made: an exec that failed. */
void reports_withdraw(void) PP_ANY;

/* In a forked child: whoever was writing is not here. */
void reports_reset(void) PP_ANY;

/* How long anything waits for a report before it goes on without. */
#define REPORTS_PATIENCE_NS UINT64_C(2000000000)

#endif
