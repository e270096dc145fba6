/*
 * thread_text.h - what threads are doing, as text.
 */
#ifndef THREAD_TEXT_H
#define THREAD_TEXT_H

#include <stdio.h>

#include "pp.h"

#include "thread_list.h"

/* Who waits for whom; circles first. Returns how many circles there are. */
unsigned thread_text_waits(FILE *to, const struct thread_list *l);

/* Like Go's goroutine?debug=1: equal stacks once, with their number; read by
 * `go tool pprof`, too. */
void thread_text_stacks(FILE *to, const struct thread_list *l);

/* Like Go's goroutine?debug=2: each thread. */
void thread_text_threads(FILE *to, const struct thread_list *l);

#endif
