/*
 * settings_read.h - the settings that an environment gives, and what is said
 * about it. For the tests of config.c.
 */
#ifndef SETTINGS_READ_H
#define SETTINGS_READ_H

#include "pp.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "test.h"

static char said[4][512];
static unsigned said_count;

static inline void hear(const char *sentence, void *arg)
{
	(void)arg;
	if (said_count < PP_ARRAY_LEN(said))
		(void)snprintf(
			said[said_count], sizeof(said[0]), "%s", sentence);
	said_count++;
}

static struct settings got; /* static: log_open() keeps its address */

/* Read an environment of NAME=VALUE pairs, and nothing else. */
static inline void read_with(const char *const *pairs)
{
	(void)clearenv();
	for (; *pairs; pairs += 2)
		(void)setenv(pairs[0], pairs[1], 1);
	said_count = 0;
	got = (struct settings){ 0 };
	config_read(&got, hear, NULL);
}

#define READ(...) read_with((const char *const[]){ __VA_ARGS__, NULL })

static inline bool accepts(const char *name, const char *value)
{
	said_count = 0;
	return config_check(name, value, hear, NULL);
}

static char scratch[] = "/tmp/pprofc-test.XXXXXX";

#endif
