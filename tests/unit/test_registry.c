/*
 * test_registry.c - the table of counted threads.
 */
#include "pp.h"

#include "registry.h"
#include "test.h"

#define MANY 1000u

static struct counted_thread *add(uint32_t tid)
{
	struct counted_thread *t;

	registry_lock();
	t = registry_add(tid);
	registry_unlock();
	return t;
}

TEST(add_then_find)
{
	struct counted_thread *t = add(17);

	CHECK(t != NULL);
	CHECK(registry_find(17) == t);
	CHECK(registry_find(18) == NULL);
	CHECK(registry_at(t->index) == t);
	CHECK(registry_at(0) == NULL);
	registry_remove(t);
	CHECK(registry_find(17) == NULL);
	CHECK_EQ(registry_count(), 0);
}

TEST(removed_entry_is_reused_in_another_generation)
{
	struct counted_thread *t = add(1);
	uint32_t index = t->index, generation = atomic_load(&t->generation);

	registry_remove(t);
	t = add(2);
	CHECK_EQ(t->index, index);
	CHECK(atomic_load(&t->generation) != generation);
	CHECK_EQ(atomic_load(&t->timer), -1);
	registry_remove(t);
}

TEST(entries_stay_where_they_are)
{
	static struct counted_thread *all[MANY];

	for (uint32_t i = 0; i < MANY; i++)
		all[i] = add(1000 + i);
	CHECK_EQ(registry_count(), MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		CHECK(registry_find(1000 + i) == all[i]);
		CHECK(registry_at(all[i]->index) == all[i]);
	}
	/* From the middle of the chains outward. */
	for (uint32_t i = 0; i < MANY; i++)
		registry_remove(all[(i * 7 + 500) % MANY]);
	CHECK_EQ(registry_count(), 0);
	for (uint32_t i = 0; i < MANY; i++)
		CHECK(registry_find(1000 + i) == NULL);
	CHECK(registry_size() <= MANY + 1);
}

TEST(reset_forgets_all_and_frees_the_lock)
{
	struct counted_thread *t = add(5);
	uint32_t generation = atomic_load(&t->generation);
	uint32_t size = registry_size();

	registry_lock();
	registry_reset();
	CHECK(registry_try_lock());
	registry_unlock();
	CHECK(registry_find(5) == NULL);
	CHECK(atomic_load(&t->generation) != generation);
	CHECK_EQ(registry_count(), 0);
	for (uint32_t i = 0; i < size; i++)
		CHECK(add(100 + i) != NULL);
	CHECK_EQ(registry_size(), size);
}

int main(void)
{
	RUN(add_then_find);
	RUN(removed_entry_is_reused_in_another_generation);
	RUN(entries_stay_where_they_are);
	RUN(reset_forgets_all_and_frees_the_lock);
	return test_done();
}
