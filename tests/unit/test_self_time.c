/*
 * test_self_time.c - which slow paths are timed, and for how many each counts.
 */
#include "pp.h"

#include "self_time.h"
#include "test.h"

/* Weights of the first n, and how many of the timed have an odd number. */
struct timed {
	uint64_t weight, times, odd;
};

static struct timed timed_of(uint32_t n)
{
	static struct thread_state t;
	struct timed sum = { 0 };
	struct self_time st;

	t = (struct thread_state){ .tid = 1 };
	for (uint32_t i = 1; i <= n; i++) {
		self_begin(&t, &st);
		sum.weight += st.weight;
		sum.times += st.weight != 0;
		sum.odd += st.weight && i % 2;
	}
	return sum;
}

TEST(the_first_are_all_timed)
{
	CHECK_EQ(timed_of(16).times, 16);
	CHECK_EQ(timed_of(16).weight, 16);
	CHECK_EQ(timed_of(24).times, 16);
	CHECK_EQ(timed_of(25).times, 17);
}

/* At the end of a block as many are counted as there were. */
TEST(weights_add_up_to_what_was_done)
{
	for (uint32_t n = 32; n <= 1024; n += 16)
		CHECK_EQ(timed_of(n).weight, n);
	for (uint32_t n = 2048; n <= 16 * 1024; n += 7 * 1024)
		CHECK_EQ(timed_of(n).weight, n);
	for (uint32_t n = 16 * 1024; n <= 160 * 1024; n += 24 * 1024)
		CHECK_EQ(timed_of(n).weight, n);
	CHECK_EQ(timed_of(1024).times, 16 + 63);
	CHECK_EQ(timed_of(16 * 1024).times, 16 + 63 + 15);
	CHECK_EQ(timed_of(176 * 1024).times, 16 + 63 + 15 + 40);
}

/* Allocations and frees may alternate: neither must be left out. */
TEST(odd_and_even_numbers_take_turns)
{
	struct timed second = timed_of(1024), third = timed_of(15 * 1024),
		     fourth = timed_of(15 * 1024 + 161 * 1024);

	CHECK_EQ(second.odd, 8 + 32);
	CHECK_EQ(third.odd - second.odd, 7);
	CHECK_EQ(fourth.odd - third.odd, 21);
}

int main(void)
{
	RUN(the_first_are_all_timed);
	RUN(weights_add_up_to_what_was_done);
	RUN(odd_and_even_numbers_take_turns);
	return test_done();
}
