/*
 * alloc_pairs.c - COUNT pairs of malloc(48) and free, nothing else in the loop.
 * BUILD: -fno-builtin
 *
 * alloc_pairs COUNT [all]
 *   With `all` the loop holds 20 calls instead, of every function of the malloc
 *   family that this libc has.
 */
#include <malloc.h>
#include <stdlib.h>

static inline void malloc_and_free(void)
{
	void *p = malloc(48);

	__asm__ volatile("" : "+r"(p));
	free(p);
}

static __attribute__((noinline)) void all(void)
{
	void *p = NULL;

	p = realloc(malloc(48), 56);
	(void)malloc_usable_size(p);
	free(reallocarray(p, 5, 10));
	free(calloc(6, 8));
	free(realloc(NULL, 48));
	free(memalign(64, 48));
	free(aligned_alloc(64, 48));
	if (posix_memalign(&p, 64, 48) == 0)
		free(p);
	free(valloc(48));
	free(pvalloc(48));
	free(NULL);
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;

	if (argc > 2)
		for (long i = 0; i < count; i++)
			all();
	else
		for (long i = 0; i < count; i++)
			malloc_and_free();
	return 0;
}
