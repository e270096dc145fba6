/*
 * alloc_pairs.c - COUNT pairs of malloc(48) and free, nothing else in the loop.
 *
 * alloc_pairs COUNT
 */
#include <stdlib.h>

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;

	for (long i = 0; i < count; i++) {
		void *p = malloc(48);

		__asm__ volatile("" : "+r"(p));
		free(p);
	}
	return 0;
}
