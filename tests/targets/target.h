/*
 * target.h - what several targets do alike: spend CPU time, and run the test
 * that is named by the first argument. Everything is inlined or static, so
 * that stacks show the target's own functions.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <string.h>
#include <time.h>

struct target_test {
	const char *name;
	void (*run)(void);
};

#define TARGET_RUN(tests, argc, argv) \
	target_run(tests, sizeof(tests) / sizeof(*(tests)), argc, argv)

static inline void target_run(
	const struct target_test *tests, size_t n, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n; i++) {
		if (strcmp(argv[1], tests[i].name) == 0)
			tests[i].run();
	}
}

static volatile unsigned long target_sink;

/* Spend ms of this thread's CPU time, in the calling function. */
static inline __attribute__((always_inline)) void target_spin(long ms)
{
	struct timespec t;
	long end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
	do {
		for (int i = 0; i < 2000; i++)
			target_sink += (unsigned long)i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < end);
}

#endif
