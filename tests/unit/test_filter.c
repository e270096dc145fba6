/*
 * test_filter.c - what free() is told of an address.
 */
#include "pp.h"

#include <string.h>

#include "filter.h"
#include "test.h"

#define KIB UINT64_C(1024)
#define ARENA (64 * KIB * KIB)

static struct filter f;

static const void *at(uint64_t address)
{
	return (const void *)(uintptr_t)address;
}

static bool is_near(uint64_t address)
{
	return f.near[filter_near_slot(at(address))] != 0;
}

static void wipe(void)
{
	memset(&f, 0, sizeof(f));
}

TEST(an_object_is_found_until_it_is_removed)
{
	uint64_t p = UINT64_C(0x7f12345678a0);

	wipe();
	CHECK(!filter_has(&f, at(p)) && !is_near(p));
	filter_add(&f, at(p));
	CHECK(filter_has(&f, at(p)) && is_near(p));
	CHECK(!filter_has(&f, at(p + KIB)) && !filter_has(&f, at(p - KIB)));
	CHECK(is_near(p & ~(16 * KIB - 1)) && is_near(p | (16 * KIB - 1)));
	CHECK(!is_near(p + 16 * KIB) && !is_near(p - 16 * KIB));
	filter_remove(&f, at(p));
	CHECK(!filter_has(&f, at(p)) && !is_near(p));
}

TEST(neighbours_count)
{
	uint64_t p = UINT64_C(0x555555559000);

	wipe();
	filter_add(&f, at(p));
	filter_add(&f, at(p + 16));
	filter_add(&f, at(p + 2 * KIB));
	filter_remove(&f, at(p));
	CHECK(filter_has(&f, at(p + 16)) && is_near(p));
	filter_remove(&f, at(p + 16));
	CHECK(!filter_has(&f, at(p)) && is_near(p));
	filter_remove(&f, at(p + 2 * KIB));
	CHECK(!is_near(p));
}

/* More than can be counted: never again "no". */
TEST(a_full_counter_stays)
{
	const void *p = at(0x1000);

	wipe();
	for (int i = 0; i < 300; i++)
		filter_add(&f, p);
	for (int i = 0; i < 300; i++)
		filter_remove(&f, p);
	CHECK(filter_has(&f, p) && is_near(0x1000));
}

/* What a fork has wiped is removed again by the child. */
TEST(an_empty_counter_stays)
{
	wipe();
	filter_remove(&f, at(0x1000));
	CHECK(!filter_has(&f, at(0x1000)) && !is_near(0x1000));
}

TEST(arenas_do_not_share_counters)
{
	static uint8_t seen[FILTER_SLOTS];

	for (uint64_t arena = 0; arena < 64; arena++) {
		for (uint64_t kib = 0; kib < 1024; kib++) {
			uint64_t p = UINT64_C(0x7f0000000000) + arena * ARENA;
			uint8_t *slot = &seen[filter_slot(at(p + kib * KIB))];

			CHECK_EQ(*slot, 0);
			*slot = 1;
		}
	}
}

TEST(all_is_near_where_the_first_look_is_skipped)
{
	wipe();
	filter_skip_near(&f);
	filter_add(&f, at(0x1000));
	CHECK(filter_has(&f, at(0x1000)));
	filter_remove(&f, at(0x1000));
	CHECK(!filter_has(&f, at(0x1000)));
	for (uint64_t p = 0; p < UINT64_C(1) << 32; p += 16 * KIB)
		CHECK(is_near(p));
}

int main(void)
{
	RUN(an_object_is_found_until_it_is_removed);
	RUN(neighbours_count);
	RUN(a_full_counter_stays);
	RUN(an_empty_counter_stays);
	RUN(arenas_do_not_share_counters);
	RUN(all_is_near_where_the_first_look_is_skipped);
	return test_done();
}
