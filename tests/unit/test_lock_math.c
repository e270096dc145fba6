/*
 * test_lock_math.c - the arithmetic of the mutex and block profiles: who is
 * charged for which part of a wait (lock_table.c), and that sampling leaves
 * sums what they are (lock_budget.c).
 */
#include "pp.h"

#include <pthread.h>

#include "lock_budget.h"
#include "lock_table.h"
#include "rows.h"
#include "test.h"

static struct lock_table table;
static int locks[4096];

static uint64_t leave(const struct lock_token *token, uint64_t now, bool got)
{
	uint32_t row = 0;
	unsigned shift = 0;

	return lock_table_leave(&table, token, now, got, &row, &shift);
}

static uint64_t release(const void *lock, uint64_t now)
{
	struct lock_release r;

	return lock_table_release(&table, lock, now, &r) ? r.ns : 0;
}

TEST(a_release_is_charged_the_waits_since_the_last_one)
{
	struct lock_token a, b;

	CHECK(!lock_table_awaited(&table, locks));
	CHECK_EQ(release(locks, 50), 0);
	CHECK(lock_table_enter(&table, locks, 100, &a));
	CHECK(lock_table_enter(&table, locks, 200, &b));
	CHECK(lock_table_awaited(&table, locks));
	CHECK_EQ(release(locks, 300), 200 + 100);
	CHECK_EQ(leave(&a, 300, true), 0);
	CHECK_EQ(release(locks, 400), 100);
	CHECK_EQ(leave(&b, 400, true), 0);
	CHECK(!lock_table_awaited(&table, locks));
	CHECK_EQ(release(locks, 900), 0);
}

TEST(who_came_since_the_clock_was_read_makes_no_charge_negative)
{
	struct lock_token a, b;

	CHECK(lock_table_enter(&table, locks, 100, &a));
	CHECK_EQ(release(locks, 90), 0);
	CHECK(lock_table_enter(&table, locks, 200, &b));
	CHECK_EQ(release(locks, 300), 200 + 100);
	CHECK_EQ(leave(&a, 300, true), 0);
	CHECK_EQ(leave(&b, 300, true), 0);
	CHECK(!lock_table_awaited(&table, locks));
}

/* By another process: its critical section is not that of the next one here. */
TEST(a_release_that_is_not_seen_is_charged_to_nobody)
{
	static int other[1];
	const uint64_t late = 100 + LOCK_UNSEEN_NS + 1;
	struct lock_token a, b;
	uint32_t row = 0;
	unsigned shift;

	CHECK(lock_table_enter(&table, other, 100, &a));
	CHECK(lock_table_enter(&table, other, 200, &b));
	CHECK_EQ(lock_table_leave(&table, &a, late, true, &row, &shift), 0);
	CHECK_EQ(row, LOCK_UNSEEN);
	CHECK_EQ(release(other, late + 7), 7);
	row = 0;
	(void)lock_table_leave(&table, &b, late + 9, true, &row, &shift);
	CHECK(row != LOCK_UNSEEN);
	CHECK(!lock_table_awaited(&table, other));
}

TEST(the_time_until_the_lock_is_had_goes_to_its_releaser)
{
	struct lock_token a, b;
	struct lock_release r;
	uint32_t row = 0;
	unsigned shift = 0;

	CHECK(lock_table_enter(&table, locks, 100, &a));
	CHECK(lock_table_enter(&table, locks, 100, &b));
	CHECK(lock_table_release(&table, locks, 200, &r));
	CHECK_EQ(leave(&a, 230, true), 0);
	CHECK_EQ(lock_table_charged(&table, &r, 7, 3), 30);
	CHECK_EQ(lock_table_leave(&table, &b, 250, true, &row, &shift), 50);
	CHECK_EQ(row, 7);
	CHECK_EQ(shift, 3);
}

TEST(who_gives_up_leaves_the_wait_to_the_next_release)
{
	struct lock_token a, b;

	CHECK(lock_table_enter(&table, locks, 100, &a));
	CHECK_EQ(leave(&a, 150, false), 0);
	CHECK(lock_table_awaited(&table, locks));
	CHECK(lock_table_enter(&table, locks, 160, &b));
	CHECK_EQ(leave(&b, 170, false), 0);
	CHECK_EQ(release(locks, 1000), 50 + 10);
	CHECK(!lock_table_awaited(&table, locks));
	CHECK_EQ(release(locks, 2000), 0);
}

TEST(a_wait_that_is_forgotten_is_charged_to_nobody)
{
	struct lock_token a;

	CHECK(lock_table_enter(&table, locks, 100, &a));
	lock_table_forget(&table, &a);
	CHECK_EQ(release(locks, 1000), 0);
	CHECK_EQ(atomic_load(&table.waiting), 0);
	CHECK_EQ(leave(&a, 1100, true), 0); /* once is enough */
	CHECK_EQ(atomic_load(&table.waiting), 0);
}

TEST(more_locks_than_entries_are_refused_and_entries_used_again)
{
	static struct lock_token tokens[PP_ARRAY_LEN(locks)];
	unsigned n = 0;

	for (int round = 0; round < 3; round++) {
		bool in[PP_ARRAY_LEN(locks)];

		n = 0;
		for (unsigned i = 0; i < PP_ARRAY_LEN(locks); i++) {
			in[i] = lock_table_enter(
				&table, &locks[i], 10, &tokens[i]);
			n += in[i];
		}
		CHECK(n > LOCK_BUCKETS * LOCK_WAYS / 2);
		CHECK(n < PP_ARRAY_LEN(locks));
		for (unsigned i = 0; i < PP_ARRAY_LEN(locks); i++) {
			CHECK_EQ(release(&locks[i], 20), in[i] ? 10 : 0);
			if (in[i])
				(void)leave(&tokens[i], 20, true);
		}
	}
	CHECK_EQ(atomic_load(&table.waiting), 0);
}

/* Threads come, release and go as they like. */
#define STORM_THREADS 4
#define STORM_ROUNDS 20000u

static _Atomic uint64_t storm_now = 1;

static void *storm(void *unused)
{
	for (unsigned i = 0; i < STORM_ROUNDS; i++) {
		const void *lock = &locks[i % 3];
		struct lock_token token;
		uint64_t now = atomic_fetch_add(&storm_now, 1);

		CHECK(lock_table_enter(&table, lock, now, &token));
		(void)release(lock, atomic_fetch_add(&storm_now, 1));
		(void)leave(&token, atomic_fetch_add(&storm_now, 1), i % 5);
	}
	for (unsigned i = 0; i < 3; i++) /* what was given up */
		(void)release(&locks[i], atomic_fetch_add(&storm_now, 1));
	return unused;
}

TEST(a_storm_leaves_the_table_empty)
{
	pthread_t t[STORM_THREADS];

	for (int i = 0; i < STORM_THREADS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, storm, NULL), 0);
	for (int i = 0; i < STORM_THREADS; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(atomic_load(&table.waiting), 0);
	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		CHECK_EQ(atomic_load(&table.buckets[i].waiting), 0);
}

/* --- sampling ------------------------------------------------------------- */

static uint64_t seed;

static uint64_t draw(void)
{
	seed += 0x9e3779b97f4a7c15u;
	return pp_mix(seed);
}

/*
 * 20 seeds, each a second of 200000 events of known sizes at a budget of 5000.
 * The error of a sum of n events of weight w is about sqrt(n w); a bound of
 * five times that fails by chance in one of 10^6 runs for each seed.
 */
TEST(a_budget_leaves_sums_unbiased_and_holds)
{
	double mean = 0;

	for (uint64_t s = 1; s <= 20; s++) {
		struct lock_budget b = { 0 };
		uint64_t truth = 0, sum = 0, taken = 0, now = 1;

		seed = s << 32;
		for (unsigned i = 0; i < 200000; i++) {
			uint64_t size = 1 + draw() % 1000;
			unsigned shift;

			now += 5000;
			truth += size;
			if (!lock_budget_take(&b, 5000, now, draw(), &shift))
				continue;
			taken++;
			sum += size << shift;
		}
		mean += ((double)sum / (double)truth - 1) / 20;
		CHECK(sum > truth * 85 / 100 && sum < truth * 115 / 100);
		CHECK(taken > 1000);
		CHECK(taken < 8000);
	}
	CHECK(mean > -0.03 && mean < 0.03);
}

/*
 * 20 seeds of 100000 waits of 1 to 2000 ns at a rate of 1000: the standard
 * error of a sum is below 0.3 % (of the counts: 0.5 %). Five times that: a
 * false alarm in fewer than one of 10^5 runs.
 */
TEST(a_rate_leaves_sums_unbiased)
{
	for (uint64_t s = 1; s <= 20; s++) {
		double truth = 0, ns_sum = 0, count_sum = 0;
		unsigned n = 100000;

		seed = s << 32;
		for (unsigned i = 0; i < n; i++) {
			uint64_t ns = 10 + draw() % 1990, count;

			truth += (double)ns;
			if (!lock_by_length(draw(), 1000, &ns, &count))
				continue;
			ns_sum += (double)ns;
			count_sum += (double)count / ROW_ONE;
		}
		CHECK(ns_sum > truth * 0.985 && ns_sum < truth * 1.015);
		CHECK(count_sum > n * 0.975 && count_sum < n * 1.025);
	}
}

/* 20 seeds of 100000 at a fraction of 10: 1 % standard error. */
TEST(a_fraction_leaves_sums_unbiased)
{
	for (uint64_t s = 1; s <= 20; s++) {
		unsigned n = 0;

		seed = s << 32;
		for (unsigned i = 0; i < 100000; i++)
			n += lock_by_fraction(draw(), 10);
		CHECK(n > 9500 && n < 10500);
	}
}

/* Below the budget everything is taken: here 9000 a second of 10000. */
TEST(a_budget_that_suffices_takes_all)
{
	struct lock_budget b = { 0 };
	unsigned shift = 1;

	for (unsigned i = 0; i < 9000; i++) {
		CHECK(lock_budget_take(
			&b, 10000, 1 + i * UINT64_C(111111), draw(), &shift));
		CHECK_EQ(shift, 0);
	}
}

/* After a storm the budget is what it was. */
TEST(a_budget_recovers)
{
	struct lock_budget b = { 0 };
	uint64_t now = 1;
	unsigned shift;

	for (unsigned i = 0; i < 100000; i++)
		(void)lock_budget_take(&b, 1000, now += 1000, draw(), &shift);
	CHECK(atomic_load(&b.shift) > 3);
	now += 10000000000u;
	CHECK(lock_budget_take(&b, 1000, now, 0, &shift));
	CHECK(lock_budget_take(&b, 1000, now + 1, 1, &shift));
	CHECK_EQ(shift, 0);
}

int main(void)
{
	RUN(a_release_is_charged_the_waits_since_the_last_one);
	RUN(who_came_since_the_clock_was_read_makes_no_charge_negative);
	RUN(a_release_that_is_not_seen_is_charged_to_nobody);
	RUN(the_time_until_the_lock_is_had_goes_to_its_releaser);
	RUN(who_gives_up_leaves_the_wait_to_the_next_release);
	RUN(a_wait_that_is_forgotten_is_charged_to_nobody);
	RUN(more_locks_than_entries_are_refused_and_entries_used_again);
	RUN(a_storm_leaves_the_table_empty);
	RUN(a_budget_leaves_sums_unbiased_and_holds);
	RUN(a_rate_leaves_sums_unbiased);
	RUN(a_fraction_leaves_sums_unbiased);
	RUN(a_budget_that_suffices_takes_all);
	RUN(a_budget_recovers);
	return test_done();
}
