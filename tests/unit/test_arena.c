/* test_arena.c - pages handed out by moving a pointer. */
#include "pp.h"

#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "test.h"

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

TEST(arena_memory_is_zero_and_aligned)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 1000, 70000 };
	struct arena a;

	arena_init(&a);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < PP_ARRAY_LEN(sizes); i++) {
			char *p = arena_alloc(&a, sizes[i]);

			CHECK(p != NULL);
			CHECK_EQ((uintptr_t)p % 16, 0);
			CHECK(all_zero(p, sizes[i]));
			memset(p, 0xff, sizes[i]);
		}
	}
	arena_free(&a);
}

TEST(arena_blocks_do_not_overlap)
{
	enum { COUNT = 3000 };
	static unsigned char *block[COUNT];
	static size_t size[COUNT];
	struct arena a;
	int wrong = 0;

	arena_init(&a);
	for (int i = 0; i < COUNT; i++) {
		size[i] = (size_t)(i * 37 % 900);
		block[i] = arena_alloc(&a, size[i]);
		memset(block[i], i & 0xff, size[i]);
	}
	for (int i = 0; i < COUNT; i++)
		for (size_t k = 0; k < size[i]; k++)
			wrong += block[i][k] != (i & 0xff);
	CHECK_EQ(wrong, 0);
	arena_free(&a);
}

TEST(arena_size_zero_is_a_block_of_its_own)
{
	struct arena a;
	void *p, *q;

	arena_init(&a);
	p = arena_alloc(&a, 0);
	q = arena_alloc(&a, 0);
	CHECK(p && q && p != q);
	arena_free(&a);
}

TEST(arena_block_larger_than_any_chunk_fits)
{
	const size_t size = 40u << 20;
	struct arena a;
	char *p;

	arena_init(&a);
	p = arena_alloc(&a, size);
	CHECK(p != NULL);
	if (p)
		p[0] = p[size - 1] = 1;
	CHECK(arena_alloc(&a, 64) != NULL);
	arena_free(&a);
}

TEST(arena_impossible_size_is_refused)
{
	struct arena a;

	arena_init(&a);
	CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
	CHECK(arena_alloc(&a, SIZE_MAX / 2 + 1) == NULL);
	CHECK(arena_alloc(&a, SIZE_MAX / 4) == NULL); /* mmap refuses */
	CHECK(arena_alloc(&a, 32) != NULL);	      /* still usable */
	arena_free(&a);
}

TEST(arena_total_counts_what_is_mapped)
{
	struct arena a;

	arena_init(&a);
	CHECK_EQ(a.total_bytes, 0);
	(void)arena_alloc(&a, 10);
	CHECK(a.total_bytes >= PP_PAGE && a.total_bytes <= 1u << 20);
	(void)arena_alloc(&a, 8u << 20);
	CHECK(a.total_bytes >= 8u << 20);
	arena_free(&a);
	CHECK_EQ(a.total_bytes, 0);
}

/* Pages of address space this process has. */
static long pages_now(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long pages = -1;

	if (f) {
		CHECK_EQ(fscanf(f, "%ld", &pages), 1);
		(void)fclose(f);
	}
	return pages;
}

TEST(arena_free_gives_the_pages_back)
{
	const long before = pages_now();
	struct arena a;

	for (int i = 0; i < 100; i++) {
		arena_init(&a);
		CHECK(arena_alloc(&a, 60u << 20) != NULL);
		CHECK(arena_alloc(&a, 60u << 20) != NULL);
		arena_free(&a);
	}
	arena_free(&a); /* empty: nothing to do */
	CHECK(before > 0 && pages_now() - before < 1000);
}

TEST(arena_nth_request_fails_on_demand)
{
	struct arena a;

	arena_init(&a);
	a.fail_after = 3;
	CHECK(arena_alloc(&a, 8) != NULL);
	CHECK(arena_alloc(&a, 8) != NULL);
	CHECK(arena_alloc(&a, 8) == NULL);
	CHECK(arena_alloc(&a, 8) != NULL);
	arena_free(&a);
}

int main(void)
{
	RUN(arena_memory_is_zero_and_aligned);
	RUN(arena_blocks_do_not_overlap);
	RUN(arena_size_zero_is_a_block_of_its_own);
	RUN(arena_block_larger_than_any_chunk_fits);
	RUN(arena_impossible_size_is_refused);
	RUN(arena_total_counts_what_is_mapped);
	RUN(arena_free_gives_the_pages_back);
	RUN(arena_nth_request_fails_on_demand);
	return test_done();
}
