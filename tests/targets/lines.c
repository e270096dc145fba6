/*
 * lines.c - CPU time in lines that a test knows: see test_symbolize.py, which
 * looks for the comments HOT and CALL.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static volatile uint64_t sink;

static inline __attribute__((always_inline)) uint64_t innermost(uint64_t x)
{
	for (int i = 0; i < 200; i++)
		x = x * 31 + (x >> 7); /* HOT */
	return x;
}

static inline __attribute__((always_inline)) uint64_t middle(uint64_t x)
{
	return innermost(x) + 1; /* CALL */
}

__attribute__((noinline)) void outer(long n)
{
	for (long i = 0; i < n; i++)
		sink += middle((uint64_t)i); /* CALL */
}

/* Two results of one comparison function, so that libc is in the stacks. */
static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sort(unsigned n)
{
	uint64_t *list = malloc(n * sizeof(*list));

	for (unsigned i = 0; i < n; i++)
		list[i] = innermost(i);
	qsort(list, n, sizeof(*list), compare);
	sink += list[n / 2];
	free(list);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000000;

	outer(n);
	sort((unsigned)n / 3);
	printf("%d\n", sink != 0);
	return 0;
}
