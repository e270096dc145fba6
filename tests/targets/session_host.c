/*
 * session_host.c - makes a known number of objects of a known size, uses some
 * CPU time, and waits for its standard input to end.
 *
 * session_host MADE FREED SIZE MS
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static __attribute__((noinline)) void *make_object(size_t size)
{
	char *p = malloc(size);

	if (p)
		*p = 1;
	return p;
}

static __attribute__((noinline)) void burn(long ms)
{
	volatile unsigned x = 0;
	struct timespec t;

	do {
		for (int i = 0; i < 100000; i++)
			x += (unsigned)i;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

int main(int argc, char **argv)
{
	size_t made = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;
	size_t freed = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 100;
	void **objects = calloc(made, sizeof(*objects));
	char c;

	for (size_t i = 0; i < made; i++)
		objects[i] = make_object(size);
	for (size_t i = 0; i < freed; i++)
		free(objects[i]);
	burn(argc > 4 ? atol(argv[4]) : 0);
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	for (size_t i = freed; i < made; i++)
		free(objects[i]);
	free(objects);
	return 0;
}
