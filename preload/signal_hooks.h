/*
 * signal_hooks.h - the part of signals.c that the constructor calls.
 */
#ifndef SIGNAL_HOOKS_H
#define SIGNAL_HOOKS_H

#include "pp.h"

/* Reserve a real-time signal for the CPU timers and install its handler.
 * Returns its number, 0 when there is none left. */
int signal_hooks_reserve(void) PP_ANY;

/* Take over the dump and toggle signals of the settings and the fatal ones
 * whose default action would lose the profiles, where the host has not. */
void signal_hooks_start(void) PP_NORMAL;

/* No handler of ours is left in the kernel but the timers', which does nothing
 * once the process is detached; and back again. */
void signal_hooks_withdraw(void) PP_ANY;
void signal_hooks_return(void) PP_ANY;

#endif
