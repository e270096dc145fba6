/*
 * hostile.h - what the hostile programs share.
 *
 * A program is told by its first argument what to do. It checks itself: it
 * prints "fine" and ends with status 0, or says what it found and ends with 1.
 * hold() and burn() leave marks that tests/hostile/run.py looks for in the
 * profiles.
 */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HELD 1000000

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Ends the process at once: we may be in a child, a thread or a handler. */
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			dprintf(2, "%s:%d: not so: %s (errno %d)\n", __FILE__, \
				__LINE__, #condition, errno);                  \
			_exit(1);                                              \
		}                                                              \
	} while (0)

static void *volatile held;
static volatile unsigned long sink;

/* The names as they are, in C++ as well. */
static void hold(void) __asm__("hold");
static void burn(long ms) __asm__("burn");

__attribute__((noinline, unused)) static void hold(void)
{
	held = malloc(HELD);
	memset(held, 1, HELD);
}

__attribute__((noinline, unused)) static void burn(long ms)
{
	struct timespec t;
	long now, end = 0;

	do {
		for (int i = 0; i < 5000; i++)
			sink += (unsigned long)i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		now = t.tv_sec * 1000 + t.tv_nsec / 1000000;
		end = end ? end : now + ms;
	} while (now < end);
}

/* Small pieces, so that every allocation path is taken. */
__attribute__((unused)) static void churn(int times)
{
	void *volatile piece[8] = { NULL };

	for (int i = 1; i <= times; i++) {
		piece[i % 8] = realloc(
			piece[i % 8], (size_t)(i * 37 % 4000 + 1));
		MUST(piece[i % 8]);
		memset(piece[i % 8], i, (size_t)(i * 37 % 4000 + 1));
	}
	for (int i = 0; i < 8; i++)
		free(piece[i]);
}

/* Ask for a heap profile; without the library the signal would kill. */
__attribute__((unused)) static void dump(void)
{
	if (getenv("PPROFC_OUTPUT"))
		raise(SIGUSR2);
}

struct way {
	const char *name;
	void (*go)(void);
};

__attribute__((unused)) static int go_the_way(
	const struct way *ways, size_t n, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n; i++) {
		if (strcmp(argv[1], ways[i].name) == 0) {
			ways[i].go();
			printf("fine\n");
			return 0;
		}
	}
	dprintf(2, "no such way\n");
	return 1;
}
