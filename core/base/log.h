/*
 * log.h - one line to the place PPROFC_LOG names; never to the host's stderr
 * unless it says so.
 *
 * A line is formatted on the stack and written with one write(2) to a file
 * opened for append and closed again: no descriptor is kept. Standard error
 * means the one the process was started with. The same line
 * goes to settings.status_path when `pprofc run` set it (PPROFC_STATUS), which
 * prints it after the program has ended. Context: PP_ANY.
 */
#ifndef LOG_H
#define LOG_H

#include "pp.h"

struct settings;

/* Remember where lines go. The settings must outlive every log_line(). */
void log_open(const struct settings *settings) PP_ANY;

/* Write "pprofc[PID]: MESSAGE\n". The format is fmt.h's. */
void log_line(const char *format, ...) PP_ANY PP_PRINTF(1, 2);
/* For `pprofc run` only: of interest when there is no profile. */
void log_status(const char *format, ...) PP_ANY PP_PRINTF(1, 2);

#endif
