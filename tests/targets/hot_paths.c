/*
 * hot_paths.c - a program whose profile is known by name: it burns CPU time in
 * hot_leaf() below hot_caller(), and keeps, frees and peaks in keep_blocks(),
 * drop_blocks() and peak_blocks(). Nothing depends on chance, so two runs have
 * equal heap profiles at rate 1. BUILD: -rdynamic
 *
 * hot_paths MS: milliseconds of CPU time; prints a checksum.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEPT 40
#define BLOCK 1000

uint32_t hot_leaf(uint32_t x);
uint32_t hot_caller(int64_t ms);
void *keep_block(int i);
int keep_blocks(void);
int drop_blocks(void);
int peak_blocks(void);

static void *kept[KEPT];
static void *volatile sink;
static volatile uint32_t last;

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

__attribute__((noinline)) uint32_t hot_leaf(uint32_t x)
{
	for (int i = 0; i < 100000; i++)
		x = x * 1664525 + 1013904223 + (x >> 7);
	return x;
}

__attribute__((noinline)) uint32_t hot_caller(int64_t ms)
{
	uint32_t x = 1;

	while (cpu_ms() < ms)
		last = x = hot_leaf(x);
	return 0;
}

__attribute__((noinline)) void *keep_block(int i)
{
	void *p = malloc(BLOCK);

	kept[i] = p;
	return p;
}

__attribute__((noinline)) int keep_blocks(void)
{
	int n = 0;

	for (int i = 0; i < KEPT; i++)
		n += keep_block(i) != NULL;
	return n;
}

__attribute__((noinline)) int drop_blocks(void)
{
	for (int i = 0; i < 100; i++) {
		sink = calloc(1, 64);
		free(sink);
	}
	return 1;
}

__attribute__((noinline)) int peak_blocks(void)
{
	sink = malloc(5000000);
	free(sink);
	return 1;
}

int main(int argc, char **argv)
{
	uint32_t sum = (uint32_t)(keep_blocks() + drop_blocks() +
				  peak_blocks());

	sum += hot_caller(argc > 1 ? atoi(argv[1]) : 0);
	printf("%u %d\n", sum, kept[0] != NULL);
	return 0;
}
