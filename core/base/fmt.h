/*
 * fmt.h - a bounded formatter without locale, allocation or libc.
 *
 * Knows %s %c %d %u %ld %lu %lld %llu %zu %x %lx %llx %p %% with an optional
 * zero-padded or blank-padded width (%02x, %6u). Context: PP_ANY.
 */
#ifndef FMT_H
#define FMT_H

#include <stdarg.h>

#include "pp.h"

/* Format into buf[size]; always terminated when size > 0. Returns the length
 * the whole text has, as snprintf does: >= size means it was cut. */
size_t fmt_v(char *buf, size_t size, const char *format, va_list ap) PP_ANY;
size_t fmt(char *buf, size_t size, const char *format, ...) PP_ANY
	PP_PRINTF(3, 4);

/* String helpers that a handler may use (libc's are ifuncs of the same use,
 * but these keep the allow-list short). */
size_t str_len(const char *s) PP_ANY;
bool str_eq(const char *a, const char *b) PP_ANY;
/* Copy with termination; returns false when it was cut. */
bool str_copy(char *to, size_t size, const char *from) PP_ANY;

#endif
