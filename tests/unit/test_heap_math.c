/*
 * test_heap_math.c - the sampler against libm, against its own definition, and
 * against the truth it has to estimate. BUILD: -lm
 */
#include "pp.h"

#include <math.h>
#include <stdlib.h>

#include "heap.h"
#include "heap_math.h"
#include "rows.h"
#include "test.h"

#define MILLION 1000000
#define RATE UINT64_C(524288)

static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	return pp_mix(*state);
}

static double relative(double got, double wanted)
{
	return fabs(got / wanted - 1);
}

/* The values pprof shows for `count` samples of `bytes` altogether. */
static void scale(double count, double bytes, double rate, int64_t *ret_count,
	int64_t *ret_bytes)
{
	double k = 1;

	if (count > 0 && bytes > 0 && rate > 1)
		k = heap_inverse_chance(bytes / count / rate);
	*ret_count = (int64_t)(count * k);
	*ret_bytes = (int64_t)(bytes * k);
}

TEST(contract_scaling_vectors)
{
	static const struct {
		double count, bytes, rate;
		int64_t scaled_count, scaled_bytes;
	} vectors[] = {
		{ 2, 2048, 524288, 1025, 1049600 },
		{ 10, 1000, 524288, 52433, 5243380 },
		{ 1, 524288, 524288, 1, 829411 },
		{ 1, 16, 524288, 32768, 524296 },
		{ 1, 10000000, 524288, 1, 10000000 },
		{ 5, 500, 1, 5, 500 },
		{ 0, 0, 524288, 0, 0 },
	};

	for (size_t i = 0; i < PP_ARRAY_LEN(vectors); i++) {
		int64_t count, bytes;

		scale(vectors[i].count, vectors[i].bytes, vectors[i].rate,
			&count, &bytes);
		CHECK_EQ(count, vectors[i].scaled_count);
		CHECK_EQ(bytes, vectors[i].scaled_bytes);
	}
}

/* -ln(1 - (random + 1/2) / 2^64) in the precision of long double. */
static double exponential_of_libm(uint64_t random)
{
	if (random >= UINT64_C(1) << 63)
		return (double)-logl(((long double)~random + 0.5L) * 0x1p-64L);
	return (double)-log1pl(-((long double)random + 0.5L) * 0x1p-64L);
}

TEST(exponential_agrees_with_libm)
{
	static const uint64_t edges[] = { 0, 1, 2, UINT64_C(1) << 32,
		(UINT64_C(1) << 62) - 1, UINT64_C(1) << 62,
		(UINT64_C(1) << 63) - 1, UINT64_C(1) << 63, UINT64_MAX - 1,
		UINT64_MAX };
	uint64_t state = 1;
	double worst = 0;

	for (size_t i = 0; i < PP_ARRAY_LEN(edges) + MILLION; i++) {
		bool edge = i < PP_ARRAY_LEN(edges);
		uint64_t r = edge ? edges[i] : next_random(&state);

		/* All magnitudes, at both ends. */
		if (!edge && (i & 1))
			r >>= i % 64;
		if (!edge && (i & 2))
			r = ~r;
		worst = fmax(worst,
			relative(heap_exponential(r), exponential_of_libm(r)));
	}
	printf("# worst relative error %.1e\n", worst);
	CHECK(worst < 1e-12);
}

TEST(inverse_chance_agrees_with_libm)
{
	double worst = 0;

	for (double x = 1e-12; x < 100; x *= 1.0001) {
		double wanted = (double)(-1 / expm1l(-(long double)x));

		worst = fmax(worst, relative(heap_inverse_chance(x), wanted));
	}
	printf("# worst relative error %.1e\n", worst);
	CHECK(worst < 1e-12);
}

/* heap_exponential() grows with its argument, so the share of all 2^64 random
 * numbers with gap < s is the first one with gap >= s. */
static double chance_of(uint64_t s, uint64_t rate)
{
	uint64_t lo = 0, hi = UINT64_MAX;

	while (lo < hi) {
		uint64_t middle = lo + (hi - lo) / 2;

		if (heap_gap(middle, rate) >= s)
			hi = middle;
		else
			lo = middle + 1;
	}
	return (double)lo * 0x1p-64;
}

static const uint64_t some_rates[] = { 2, 3, 100, 4096, RATE, 1u << 30,
	HEAP_RATE_MAX };

TEST(chance_of_a_sample_is_exact)
{
	for (size_t i = 0; i < PP_ARRAY_LEN(some_rates); i++) {
		uint64_t rate = some_rates[i];

		for (uint64_t s = 1; s < 30 * rate; s += 1 + s / 3) {
			double wanted = -expm1(-(double)s / (double)rate);

			CHECK(relative(chance_of(s, rate), wanted) < 1e-7);
		}
	}
}

/* The chance of a sample times what it stands for: 1 for every size. */
TEST(weight_undoes_the_chance)
{
	double worst = 0;

	for (size_t i = 0; i < PP_ARRAY_LEN(some_rates); i++) {
		uint64_t rate = some_rates[i];

		for (uint64_t s = 1; s < 60 * rate; s += 1 + s / 100) {
			double chance = -expm1(-(double)s / (double)rate);
			double weight = (double)heap_weight(s, rate) /
					(double)ROW_ONE;

			worst = fmax(worst, relative(chance * weight, 1));
		}
	}
	printf("# worst bias %.1e\n", worst);
	CHECK(worst <= 0x1p-17 * 1.0001);
}

TEST(rate_1_weighs_exactly_one)
{
	for (uint64_t s = 1; s < 100000; s = s * 2 + 1)
		CHECK_EQ(heap_weight(s, 1), ROW_ONE);
	CHECK_EQ(heap_gap(0, 1), 0);
	CHECK_EQ(heap_gap(UINT64_MAX, 1), 0);
}

/* --- The decision itself --------------------------------------------------*/

static void start(uint64_t rate, uint32_t profiles, bool reached)
{
	process.settings.heap_rate = rate;
	process.settings.profiles = profiles;
	atomic_store(&process.enabled, profiles);
	heap_start(reached);
	thread_state.heap_until = 0;
	thread_state.heap_seeded = 0;
}

static void start_rate(uint64_t rate)
{
	start(rate, PROFILE_BIT(PROFILE_HEAP), true);
}

/* What a hook does, without the recording. Returns the weight, 0 = none. */
static uint64_t allocate(size_t size)
{
	uint64_t weight = heap_due(size) ? heap_begin(size) : 0;

	if (weight)
		thread_state.in_hook--; /* as heap_record() does */
	return weight;
}

/* Runs first: nothing has called heap_start(). */
TEST(before_the_start_nothing_is_sampled_or_lost)
{
	CHECK_EQ(allocate(100), 0);
	CHECK_EQ(allocate(SIZE_MAX / 2), 0);
	CHECK_EQ(thread_state.heap_until, 0);
	process_start();
	CHECK_EQ(allocate(100), 0);
	start(1, PROFILE_BIT(PROFILE_HEAP), true);
	CHECK_EQ(allocate(100), ROW_ONE);
}

TEST(rate_1_records_every_allocation)
{
	start_rate(1);
	for (size_t size = 0; size < 1000; size++)
		CHECK_EQ(allocate(size), ROW_ONE);
	CHECK_EQ(allocate(SIZE_MAX / 4), ROW_ONE);
}

TEST(off_is_off)
{
	uint32_t cpu = PROFILE_BIT(PROFILE_CPU);
	uint32_t heap = PROFILE_BIT(PROFILE_HEAP);

	for (int i = 0; i < 3; i++) {
		if (i == 0)
			start(0, heap, true);
		else if (i == 1)
			start(1, cpu, true);
		else
			start(1, heap, false);
		CHECK_EQ(allocate(0), 0);
		CHECK(thread_state.heap_until == UINT64_MAX);
		CHECK(!heap_due(1 << 30));
		CHECK_EQ(process.settings.heap_foreign, i == 2);
	}
}

TEST(an_allocation_of_ours_is_not_recorded)
{
	start_rate(1);
	thread_state.in_hook = 1;
	CHECK_EQ(allocate(64), 0);
	CHECK_EQ(thread_state.in_hook, 1);
	thread_state.in_hook = 0;
	CHECK_EQ(allocate(64), ROW_ONE);
}

TEST(an_allocation_over_many_gaps_is_one_sample)
{
	start_rate(16);
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(allocate(1 << 20), ROW_ONE);
		CHECK(thread_state.heap_until < 60 * 16);
	}
}

/*
 * n independent samples, each taken with chance P and weighing 1/P: the sum
 * has mean n and variance n (1/P - 1), no term exceeds 1/P, and by Bernstein
 *
 *	Pr(|sum - n| > t) <= 2 exp(-t^2 / (2 n (1/P - 1) + 2/3 t / P)) = a
 *	t = M L / 3 + sqrt((M L / 3)^2 + 2 V L),  L = ln(2/a)
 *
 * Seeds are fixed here, so an alarm, false or not, would stay. a = 1e-8 for
 * each of the < 100 checks.
 */
static double bernstein(double variance, double most)
{
	double l = log(2 / 1e-8), a = most * l / 3;

	return a + sqrt(a * a + 2 * variance * l);
}

/* Sum of the weights of n allocations of one size, over seeds. */
static double estimate(size_t size, uint64_t rate, unsigned seeds, unsigned n)
{
	double sum = 0;

	for (unsigned seed = 1; seed <= seeds; seed++) {
		start_rate(rate);
		thread_state.rng = pp_mix(seed);
		for (unsigned i = 0; i < n; i++)
			sum += (double)allocate(size) / (double)ROW_ONE;
	}
	return sum;
}

static void check_estimate(
	size_t size, uint64_t rate, unsigned seeds, unsigned n)
{
	double truth = (double)seeds * n;
	double w = heap_inverse_chance(((double)size + 1) / (double)rate);
	double bound = bernstein(truth * (w - 1), w) + truth * 0x1p-16;
	double got = estimate(size, rate, seeds, n);

	if (fabs(got - truth) > bound)
		printf("# size %zu rate %" PRIu64 ", %u x %u: %.0f +- %.0f\n",
			size, rate, seeds, n, got, bound);
	CHECK(fabs(got - truth) <= bound);
}

TEST(estimates_are_unbiased_over_seeds)
{
	static const size_t sizes[] = { 0, 1, 16, 48, 4095, 100000, 524287,
		5 << 20 };

	thread_state_get();
	for (size_t i = 0; i < PP_ARRAY_LEN(sizes); i++)
		for (uint64_t rate = 2; rate <= RATE; rate = rate * 8 + 1)
			check_estimate(sizes[i], rate, 20, 100000);
}

/* Were a thread's first allocation always sampled, short-lived threads would
 * count it 1/P times; were it never, not at all. */
TEST(first_allocations_are_unbiased)
{
	check_estimate(48, 4096, MILLION, 1);
	check_estimate(100000, RATE, MILLION, 1);
	check_estimate(700, 4096, 100000, 3);
}

/* After a sample that fell to our own guard the process goes on afresh. */
TEST(suppressed_samples_leave_the_rest_unbiased)
{
	const unsigned n = MILLION;
	double w = heap_inverse_chance(65.0 / 4096), sum = 0;

	start_rate(4096);
	thread_state.rng = 12345;
	for (unsigned i = 0; i < n; i++) {
		thread_state.in_hook = 1;
		CHECK_EQ(allocate(1000), 0);
		thread_state.in_hook = 0;
		sum += (double)allocate(64) / (double)ROW_ONE;
	}
	CHECK(fabs(sum - n) <= bernstein(n * (w - 1), w) + n * 0x1p-16);
}

int main(void)
{
	RUN(before_the_start_nothing_is_sampled_or_lost);
	RUN(contract_scaling_vectors);
	RUN(exponential_agrees_with_libm);
	RUN(inverse_chance_agrees_with_libm);
	RUN(chance_of_a_sample_is_exact);
	RUN(weight_undoes_the_chance);
	RUN(rate_1_weighs_exactly_one);
	RUN(rate_1_records_every_allocation);
	RUN(off_is_off);
	RUN(an_allocation_of_ours_is_not_recorded);
	RUN(an_allocation_over_many_gaps_is_one_sample);
	RUN(estimates_are_unbiased_over_seeds);
	RUN(first_allocations_are_unbiased);
	RUN(suppressed_samples_leave_the_rest_unbiased);
	return test_done();
}
