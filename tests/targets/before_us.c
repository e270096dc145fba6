/*
 * before_us.c - frees and resizes memory that libbefore_us.so allocated before
 * pprofc was ready, and keeps 10 blocks of 1000 bytes of its own.
 * BUILD: -fno-builtin
 */
#include <stdio.h>
#include <stdlib.h>

#define BLOCKS 3000

extern void *before_blocks[BLOCKS] __attribute__((weak));
extern size_t before_sizes[BLOCKS] __attribute__((weak));

static void *kept[10];

/* Each third is freed, resized and freed, kept. */
static int use(int i)
{
	unsigned char *p = before_blocks[i];
	int good = p[0] == (unsigned char)i &&
		   p[before_sizes[i] - 1] == (unsigned char)i;

	if (i % 3 == 0)
		free(p);
	if (i % 3 == 1) {
		p = realloc(p, before_sizes[i] + 5000);
		good = good && p && p[0] == (unsigned char)i;
		free(p);
	}
	return good;
}

__attribute__((noinline)) static void keep(void)
{
	for (int i = 0; i < 10; i++)
		kept[i] = malloc(1000);
}

int main(void)
{
	int good = 0;

	if (!before_blocks)
		return 2;
	for (int i = 0; i < BLOCKS; i++)
		good += use(i);
	keep();
	printf("%d of %d\n", good, BLOCKS);
	return kept[9] == NULL;
}
