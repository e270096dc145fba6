/*
 * timers.h - CPU profiling: one timer per thread on its own CPU clock.
 *
 * The first expiry is uniform in (0, period] of the time that counts, so the
 * expected number of expiries is CPU time / period for any lifetime. The kernel
 * delivers expiries at clock ticks only; what is due but not delivered when a
 * thread ends (or a window closes) is charged to its start routine under
 * [thread end]. CPU time of the process that no counted thread used becomes
 * [thread unseen].
 *
 * Context: PP_ANY. Calls block all signals themselves where that is needed.
 */
#ifndef TIMERS_H
#define TIMERS_H

#include <signal.h>

#include "pp.h"

/* The timers' signal, reserved in libc by the caller. From the constructor;
 * nothing is armed yet. */
void timers_init(int signal) PP_ANY;

/* From when threads are counted. */
enum timers_from {
	TIMERS_FROM_BIRTH, /* a forked child: its one thread's whole life */
	TIMERS_FROM_NOW,   /* process start: the calling thread, from now */
	TIMERS_ALL_NOW,	   /* a window: all threads there are, from now */
};

/* The host wants the signal for itself: go on with another; 0: without timers,
 * so that all time is charged when threads end. */
void timers_move(int signal) PP_ANY;

/* Begin counting. Threads found later count from their birth. */
void timers_begin(enum timers_from from) PP_ANY;

/* Settle every thread's account, name what was unseen, and count on from there.
 * And the same, with the end of counting. */
void timers_settle(void) PP_ANY;
void timers_end(void) PP_ANY;

/* The calling thread has just been born, with this start routine. */
void timers_thread_begin(uint64_t start_pc) PP_ANY;
/* ... and is about to end. */
void timers_thread_end(void) PP_ANY;

/* No signal of its timer in the calling thread's next millisecond; what is due
 * then is charged at its end. */
void timers_thread_postpone(void) PP_ANY;
/* The calling thread has no timer until further notice: what is due meanwhile
 * is charged at its end. A forked child has to be told again. */
void timers_thread_pause(bool pause) PP_ANY;

/* If much CPU time is nobody's, look for threads that nobody knows. Happens by
 * itself every 100 samples. */
void timers_look(void) PP_ANY;

/* A forked child: no timer is inherited. */
void timers_forget(void) PP_ANY;

/* The handler: SA_SIGINFO | SA_RESTART | SA_ONSTACK, every signal masked. */
void timers_handler(int sig, siginfo_t *info, void *context) PP_ANY;

#endif
