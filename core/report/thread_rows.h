/*
 * thread_rows.h - the rows of the goroutine profile: one for each thread, with
 * what it is doing as labels.
 *
 * Owner: the arena's. Context: PP_ANY.
 */
#ifndef THREAD_ROWS_H
#define THREAD_ROWS_H

#include "pp.h"

#include "arena.h"
#include "snapshot.h"
#include "thread_stacks.h"

/* None where `threads` is NULL: of a dead process nothing is known. 0 or
 * -ENOMEM. */
int thread_rows(struct session *s, const struct thread_stacks *threads,
	struct arena *arena, struct snapshot *snap) PP_ANY;

#endif
