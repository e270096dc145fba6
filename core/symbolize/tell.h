/*
 * tell.h - what the symbolizer says to its user, and whether it may.
 *
 * With --quiet nothing is ever written. Context: PP_NORMAL.
 */
#ifndef TELL_H
#define TELL_H

#include "pp.h"

void tell_set_quiet(void);

/* One line on stderr, "pprofc symbolize: MESSAGE". Control characters, which
 * may come from file names, are shown as ?. */
void tell(const char *format, ...) PP_PRINTF(1, 2);

/* For long work on a terminal: one line that is written over, at most a few
 * times a second and only after the first second. */
void tell_progress(const char *what, size_t done, size_t all);
void tell_progress_end(void);

/* For messages of tell_crash(): the file that is being read. */
void tell_file(const char *path);
/* For handlers of signals. */
void tell_crash(int sig);

#endif
