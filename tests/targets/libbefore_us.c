/*
 * libbefore_us.c - preloaded after us, so that its constructor allocates
 * before ours has run; the program then uses that memory. BUILD: -fno-builtin
 */
#include <stdlib.h>
#include <string.h>

#define BLOCKS 3000

void *before_blocks[BLOCKS];
size_t before_sizes[BLOCKS];

static __attribute__((constructor)) void allocate(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		before_sizes[i] = (size_t)i * 37 % 5000 + 1;
		before_blocks[i] = malloc(before_sizes[i]);
		memset(before_blocks[i], i, before_sizes[i]);
	}
}
