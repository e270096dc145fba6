/*
 * test_own_modules.c - the table of modules while somebody makes it anew. Its
 * variables are the file's own: the file is part of this one.
 */
#include "own_modules.c"

#include <pthread.h>

#include "test.h"

static uint64_t own_pc(void)
{
	return (uint64_t)(uintptr_t)own_pc;
}

static bool finds_itself(void)
{
	struct object o;

	return own_modules_find(own_pc(), &o) && o.is_main &&
	       own_pc() >= o.lo && own_pc() < o.hi;
}

static void *close_gate(void *unused)
{
	code_gate_close();
	return unused;
}

/* The maker has lost the processor, and another thread's dlclose goes on. */
TEST(last_table_serves_while_the_next_is_made)
{
	pthread_t closer;

	own_modules_start();
	CHECK(finds_itself());
	own_modules_invalidate();
	atomic_fetch_add(&version, 1);
	CHECK_EQ(pthread_create(&closer, NULL, close_gate, NULL), 0);
	CHECK_EQ(pthread_join(closer, NULL), 0);
	CHECK(!code_gate_enter());
	CHECK(finds_itself());
	CHECK_EQ(version % 2, 1);
	code_gate_reset();
}

TEST(forked_child_makes_its_own)
{
	uint32_t before = version & ~1u;

	version = before + 1;
	own_modules_reset();
	CHECK_EQ(version, before);
	CHECK(finds_itself());
	CHECK_EQ(version, before + 2);
}

/* Two tables in turn, the finished one for readers. */
TEST(tables_take_turns)
{
	CHECK(search(own_pc()) != 0);
	for (uint32_t v = 0; v < 8; v += 2) {
		CHECK(table_of(v) == table_of(v + 1));
		CHECK(table_of(v) != table_of(v + 2));
		CHECK(table_of(v) == table_of(v + 4));
	}
}

int main(void)
{
	RUN(last_table_serves_while_the_next_is_made);
	RUN(forked_child_makes_its_own);
	RUN(tables_take_turns);
	return test_done();
}
