/*
 * flush.h - the thread that writes every PPROFC_INTERVAL seconds.
 *
 * A helper thread (helper.h). It ends when told to and is started again in a
 * forked child and after a change of credentials. Context: PP_ANY.
 */
#ifndef FLUSH_H
#define FLUSH_H

#include "pp.h"

/* Nothing when no interval was asked for. */
void flush_start(void) PP_ANY;
/* Wait until it has ended, two seconds at most. */
void flush_stop(void) PP_ANY;
/* A forked child has none. */
void flush_reset(void) PP_ANY;

#endif
