/*
 * signal_uses.h - what we use which signal for: between signals.c, which has
 * the handlers, and sigaction.c and masks.c, which keep up appearances.
 * Context: PP_ANY.
 */
#ifndef SIGNAL_USES_H
#define SIGNAL_USES_H

#include <signal.h>

#include "pp.h"
#include "sys.h"

#define SIGNALS 65

/* What the kernel takes. */
struct signal_kernels {
	uint64_t handler, flags, restorer;
	sys_sigset mask;
};

typedef void signal_handler_fn(int sig, siginfo_t *info, void *context);

/* Our handler of a signal; NULL when we have no use for it. */
signal_handler_fn *signal_use(int sig) PP_ANY;
/* The timers' signal; 0 = none. */
int signal_of_timers(void) PP_ANY;

static inline PP_ANY uint64_t signal_timer_bit(void)
{
	int sig = signal_of_timers();

	return sig ? SYS_SIG_BIT(sig) : 0;
}

/* Signals that ask for something and may come at any time: bits of a mask. */
uint64_t signal_askers(void) PP_ANY;
/* Is this, as sa_handler or sa_sigaction, one of our handlers? */
bool signal_is_ours(sighandler_t handler) PP_ANY;

/* Put our handler into the kernel. As sigaction(2). */
int signal_install(int sig, struct sigaction *old) PP_ANY;

/* The host is about to set something else than the default for a signal that
 * we use. */
void signal_claimed(int sig) PP_ANY;

/* sigaction.c: install ours where the host has its default, act, which it will
 * read again. As sigaction(2). */
int sigaction_set_default(
	int sig, const struct sigaction *act, struct sigaction *old) PP_ANY;

/* Install ours where the host has its default, or leave things as they are:
 * *ret_before says which. Not 0: not possible. For a moment ours is there in
 * any case. */
int sigaction_take(int sig, struct sigaction *ret_before) PP_ANY;

#endif
