/*
 * window.h - CPU profiling from one toggle signal to the next.
 *
 * Called by whoever serves the reporter's requests, or with it held.
 * Context: PP_ANY.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "pp.h"

void window_toggle(void) PP_ANY;
/* Close an open window and write its profile. */
void window_close(void) PP_ANY;
/* Write the profile of an open window; the next one begins where it ends. */
void window_write(void) PP_ANY;
/* A forked child goes on with a window of its own when its parent's is open. */
bool window_is_open(void) PP_ANY;

#endif
