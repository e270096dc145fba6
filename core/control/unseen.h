/*
 * unseen.h - CPU time of threads that we did not see start.
 *
 * Threads by clone(2) itself, or of other thread libraries, are found when the
 * process has used clearly more CPU time than the accounts explain. What stays
 * unexplained at the end becomes [thread unseen].
 *
 * Context: PP_ANY, all signals blocked. Locking: registry_lock() where it says
 * so.
 */
#ifndef UNSEEN_H
#define UNSEEN_H

#include "pp.h"

/* What the process's clock says when counting begins. Registry locked. */
void unseen_begin(uint64_t process_ns) PP_ANY;

/* Open accounts for all threads that have none, from their birth or from now.
 * Registry locked. */
void unseen_scan(bool from_now) PP_ANY;

/* If much CPU time is nobody's, look for its threads. In the handler and at
 * reports; does nothing when another thread is at it. */
void unseen_look(void) PP_ANY;

/* All accounts are settled: name what was unseen until the process's clock said
 * this. Registry locked. */
void unseen_charge(uint64_t process_ns) PP_ANY;

/* A thread of ours that is not to be counted as the host's: at its start, and
 * just before its end. */
void unseen_helper_begin(void) PP_ANY;
void unseen_helper_end(void) PP_ANY;
bool unseen_is_helper(uint32_t tid) PP_ANY;
/* A forked child has none. */
void unseen_forget_helpers(void) PP_ANY;

#endif
