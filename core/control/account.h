/*
 * account.h - what each thread's CPU clock says, and the timer that counts it.
 *
 * A thread that is counted has an open account: its clock's value at the start
 * and when its first period ends. Each expiry of its kernel timer books
 * periods; closing the account tells how many are due and not booked.
 *
 * Context: PP_ANY. Owner: entries belong to registry.h.
 * Locking: registry_lock() around what takes an entry, account_book() but for.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "pp.h"

struct counted_thread;

/* The signal that timers send from now on: at first, and for all that run
 * already. */
void account_init(int signal) PP_ANY;
void account_move(int signal) PP_ANY;

/* Nothing is covered; phases start anew. */
void account_reset(void) PP_ANY;
/* CPU time of the process that the accounts explain. */
uint64_t account_covered_ns(void) PP_ANY;
/* So much more is explained otherwise. */
void account_cover(uint64_t ns) PP_ANY;

/* A thread's CPU clock; 0 = there is no such thread. */
uint64_t account_clock_ns(uint32_t tid) PP_ANY;

/* Count t from `base` on its CPU clock, which says `now`. */
void account_open(struct counted_thread *t, uint64_t base, uint64_t now) PP_ANY;
/* No further expiry of t is recognised. Those that handlers are at may still be
 * booked: account_settle() takes for granted that they are (timers.c). */
void account_stop(struct counted_thread *t) PP_ANY;
/* Returns the periods that are due and not booked; t counts on from now, and
 * has a timer again after account_go_on(). */
uint64_t account_settle(struct counted_thread *t) PP_ANY;
void account_go_on(struct counted_thread *t) PP_ANY;
/* Stop counting t, which is the caller or has been stopped; returns the
 * same. */
uint64_t account_close(struct counted_thread *t) PP_ANY;
/* So many periods of t are in a sample. */
void account_book(struct counted_thread *t, uint64_t periods) PP_ANY;
/* No timer for t until further notice. */
void account_pause(struct counted_thread *t, bool pause) PP_ANY;

/* No expiry of t in its next millisecond: what would come then is not booked,
 * and so is due when the account is closed. */
void account_postpone(struct counted_thread *t) PP_ANY;

/* A timer for the thread that has expired already: its signal comes as soon as
 * the thread is found running, with this value. Its id, or -errno. */
int account_alarm(uint32_t tid, uint64_t value) PP_ANY;
void account_alarm_off(int id) PP_ANY;

/* Uniform below n, which is not 0. */
uint64_t account_random_below(uint64_t n) PP_ANY;

#endif
