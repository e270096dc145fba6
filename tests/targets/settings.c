/*
 * settings.c - little programs to see what a setting does.
 * BUILD: -pthread -fno-builtin
 *
 * settings objects N   keep N objects of 48 bytes
 * settings stacks N    keep N objects, each from another stack
 * settings crew N MS   N threads of one name, MS ms of CPU time each; prints
 *                      their thread ids
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OBJECT 48
#define LAST_BIT 17

void keep(void);
void left(unsigned long path, unsigned bit);
void right(unsigned long path, unsigned bit);
void crew_work(long ms);

/* Linked through their first word: reachable, and nothing else allocates. */
static void **kept;

__attribute__((noinline)) void keep(void)
{
	void **p = malloc(OBJECT);

	if (!p)
		abort();
	*p = kept;
	kept = p;
}

static inline __attribute__((always_inline)) void step(
	unsigned long path, unsigned bit)
{
	if (bit == LAST_BIT)
		keep();
	else if (path >> bit & 1)
		right(path, bit + 1);
	else
		left(path, bit + 1);
	__asm__ volatile(""); /* no tail call: each has a frame */
}

__attribute__((noinline)) void left(unsigned long path, unsigned bit)
{
	step(path, bit);
}

__attribute__((noinline)) void right(unsigned long path, unsigned bit)
{
	step(path, bit);
}

__attribute__((noinline)) void crew_work(long ms)
{
	volatile unsigned long n = 0;
	struct timespec t;

	do {
		for (int i = 0; i < 20000; i++)
			n++;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

static void *member(void *ms)
{
	pthread_setname_np(pthread_self(), "crew");
	printf("%d\n", gettid());
	crew_work((long)ms);
	return NULL;
}

static void crew(unsigned long n, long ms)
{
	pthread_t *t = calloc(n, sizeof(*t));

	for (unsigned long i = 0; t && i < n; i++)
		if (pthread_create(&t[i], NULL, member, (void *)ms) != 0)
			abort();
	for (unsigned long i = 0; t && i < n; i++)
		pthread_join(t[i], NULL);
	free(t);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (n && strcmp(argv[1], "objects") == 0)
		for (unsigned long i = 0; i < n; i++)
			keep();
	else if (n && strcmp(argv[1], "stacks") == 0)
		for (unsigned long i = 0; i < n; i++)
			left(i, 0);
	else if (n && argc > 3 && strcmp(argv[1], "crew") == 0)
		crew(n, strtol(argv[3], NULL, 10));
	else
		return 2;
	return 0;
}
