/*
 * said.h - in place of core/offline/say.c: what would be said is looked at. For
 * one file of a target.
 */
#ifndef SAID_H
#define SAID_H

#include "pp.h"

#include <stdarg.h>
#include <stdio.h>

#include "fuzz.h"
#include "say.h"

static unsigned said; /* how often */

void say(const char *format, ...)
{
	char line[16384];
	va_list ap;

	va_start(ap, format);
	MUST(vsnprintf(line, sizeof(line), format, ap) > 0);
	va_end(ap);
	said++;
}

#endif
