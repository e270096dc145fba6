/*
 * test_rules.c - the table of rules: what it remembers, and when it grows.
 */
#include "pp.h"

#include "rules.h"
#include "test.h"

/* Code lies close together; each rule is another one. */
static uint64_t address(uint32_t i)
{
	return UINT64_C(0x555555550000) + i * UINT64_C(7);
}

static rule_t rule(uint32_t i)
{
	return rule_make(RULE_REG, 7, 8 * (int64_t)(i + 1));
}

static void put(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		rules_put(address(i), rules_generation(), rule(i));
}

/* How many are there; what is there is right. */
static uint32_t found(uint32_t n)
{
	uint32_t there = 0;

	for (uint32_t i = 0; i < n; i++) {
		rule_t r = rules_get(address(i), rules_generation());

		there += r != RULE_NONE;
		CHECK(r == RULE_NONE || r == rule(i));
	}
	return there;
}

static uint32_t slots(void)
{
	return atomic_load(&rules_table)->mask + 1;
}

/* Of 1000 in sets of four, with one in each on average, few have to go. */
TEST(a_first_table_is_enough_for_many_programs)
{
	CHECK_EQ(rules_prepare(), 0);
	CHECK_EQ(slots(), RULE_SLOTS_FIRST);
	put(0, 1000);
	CHECK_EQ(slots(), RULE_SLOTS_FIRST);
	CHECK(found(1000) > 960);
}

TEST(what_is_known_goes_along_when_it_grows)
{
	uint32_t n = 1000, before;

	rules_module_put(0x400000, rules_generation(), 5);
	while (slots() == RULE_SLOTS_FIRST && n < 2 * RULE_SLOTS_FIRST) {
		put(n, n + 1);
		n++;
	}
	/* One in two slots: otherwise rules are in each other's way. */
	CHECK(n > RULE_SLOTS_FIRST / 3 && n < RULE_SLOTS_FIRST);
	CHECK_EQ(slots(), RULE_SLOTS_MOST);
	CHECK(found(n) > n - n / 10);
	CHECK_EQ(rules_module_get(0x400000, rules_generation()), 5);

	before = found(n);
	put(n, 5 * n);
	CHECK(found(5 * n) > before + 4 * n - n / 10);
	CHECK_EQ(slots(), RULE_SLOTS_MOST);
}

/* And no further. */
TEST(a_full_table_replaces)
{
	put(0, 3 * RULE_SLOTS_MOST);
	CHECK_EQ(slots(), RULE_SLOTS_MOST);
	CHECK(found(3 * RULE_SLOTS_MOST) > RULE_SLOTS_MOST * 9 / 10);
}

int main(void)
{
	RUN(a_first_table_is_enough_for_many_programs);
	RUN(what_is_known_goes_along_when_it_grows);
	RUN(a_full_table_replaces);
	return test_done();
}
