/* test_fmt.c - the formatter, compared with snprintf where both exist. */
#include "pp.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fmt.h"
#include "test.h"

/* The same call through both; text and length must agree. */
#define SAME(...)                                                      \
	do {                                                           \
		char ours[128], theirs[128];                           \
		size_t n = fmt(ours, sizeof(ours), __VA_ARGS__);       \
		int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		CHECK_EQ(n, m);                                        \
		CHECK(strcmp(ours, theirs) == 0);                      \
	} while (0)

TEST(fmt_integers_as_printf)
{
	static const int values[] = { 0, 1, -1, 42, INT_MAX, INT_MIN };
	static const long longs[] = { 0, -1, LONG_MAX, LONG_MIN };

	for (size_t i = 0; i < PP_ARRAY_LEN(values); i++)
		SAME("%d %u %x", values[i], (unsigned)values[i],
			(unsigned)values[i]);
	for (size_t i = 0; i < PP_ARRAY_LEN(longs); i++)
		SAME("%ld %lu %lx %lld %llu %llx %zu", longs[i],
			(unsigned long)longs[i], (unsigned long)longs[i],
			(long long)longs[i], (unsigned long long)longs[i],
			(unsigned long long)longs[i], (size_t)longs[i]);
}

TEST(fmt_widths_as_printf)
{
	SAME("[%6u] [%06u] [%02x] [%2x]", 42u, 42u, 5u, 0xabcu);
	SAME("[%6d] [%06d] [%1d]", -42, -42, -42);
	SAME("[%8s] [%2s]", "abc", "abc");
	SAME("[%20lu] [%020lu]", ULONG_MAX, ULONG_MAX);
}

TEST(fmt_text_as_printf)
{
	int x = 0;

	SAME("%s%c%s", "a", 'b', "");
	SAME("100%% %s", "of it");
	SAME("%p", (void *)&x);
	SAME("%s", "");
	SAME("plain \xc3\xa4 bytes");
}

TEST(fmt_null_string_does_not_crash)
{
	char buf[32];
	const char *volatile nothing = NULL;

	(void)fmt(buf, sizeof(buf), "%s", nothing);
	CHECK(strcmp(buf, "(null)") == 0);
}

TEST(fmt_cut_text_is_terminated_and_length_is_whole)
{
	char buf[8];

	for (size_t size = 1; size <= sizeof(buf); size++) {
		memset(buf, '#', sizeof(buf));
		CHECK_EQ(fmt(buf, size, "%s-%d", "abcdef", 123456), 13);
		CHECK_EQ(strlen(buf), size - 1);
		CHECK(memcmp(buf, "abcdef-", size - 1) == 0);
		if (size < sizeof(buf))
			CHECK_EQ(buf[size], '#');
	}
}

TEST(fmt_size_zero_writes_nothing)
{
	char buf[2] = "#";

	CHECK_EQ(fmt(buf, 0, "%d", 12345), 5);
	CHECK_EQ(buf[0], '#');
}

TEST(str_eq_compares_whole_strings)
{
	CHECK(str_eq("", ""));
	CHECK(str_eq("abc", "abc"));
	CHECK(!str_eq("abc", "abd"));
	CHECK(!str_eq("abc", "ab"));
	CHECK(!str_eq("ab", "abc"));
	CHECK_EQ(str_len("four"), 4);
}

TEST(str_copy_cuts_and_says_so)
{
	char buf[4];

	CHECK(str_copy(buf, sizeof(buf), "abc"));
	CHECK(str_eq(buf, "abc"));
	CHECK(!str_copy(buf, sizeof(buf), "abcd"));
	CHECK(str_eq(buf, "abc"));
	CHECK(str_copy(buf, sizeof(buf), ""));
	CHECK(str_eq(buf, ""));
}

int main(void)
{
	RUN(fmt_integers_as_printf);
	RUN(fmt_widths_as_printf);
	RUN(fmt_text_as_printf);
	RUN(fmt_null_string_does_not_crash);
	RUN(fmt_cut_text_is_terminated_and_length_is_whole);
	RUN(fmt_size_zero_writes_nothing);
	RUN(str_eq_compares_whole_strings);
	RUN(str_copy_cuts_and_says_so);
	return test_done();
}
