/*
 * test.h - the smallest test runner: prints "ok - NAME" or "not ok - NAME".
 *
 * TEST(name) { CHECK(x); CHECK_EQ(a, b); }
 * int main(void) { RUN(name); return test_done(); }
 */
#ifndef TEST_H
#define TEST_H

#include <inttypes.h>
#include <stdio.h>

static int test_failures_here, test_failures_all;

#define TEST(name) static void name(void)

#define CHECK(x)                                                         \
	do {                                                             \
		if (!(x)) {                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #x); \
			test_failures_here++;                            \
		}                                                        \
	} while (0)

#define CHECK_EQ(a, b)                                                       \
	do {                                                                 \
		int64_t test_a = (int64_t)(a), test_b = (int64_t)(b);        \
		if (test_a != test_b) {                                      \
			printf("# %s:%d: %s is %" PRId64 ", expected %s = "  \
			       "%" PRId64 "\n",                              \
				__FILE__, __LINE__, #a, test_a, #b, test_b); \
			test_failures_here++;                                \
		}                                                            \
	} while (0)

#define RUN(name)                                                          \
	do {                                                               \
		test_failures_here = 0;                                    \
		name();                                                    \
		printf(test_failures_here ? "not ok - %s\n" : "ok - %s\n", \
			#name);                                            \
		test_failures_all += test_failures_here != 0;              \
		(void)fflush(stdout);                                      \
	} while (0)

static inline int test_done(void)
{
	return test_failures_all != 0;
}

#endif
