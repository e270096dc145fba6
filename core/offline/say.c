/*
 * say.c - see say.h.
 */
#include "pp.h"

#include <stdarg.h>
#include <stdio.h>

#include "say.h"

void say(const char *format, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	for (char *s = line; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	}
	(void)fprintf(stderr, "pprofc: %s\n", line);
}
