/*
 * own_malloc.c - a program with an allocator of its own: it must be used for
 * everything, also by libc, and nothing else. BUILD: -fno-builtin -pthread
 *
 * Prints what libc's functions returned and whether it came from here.
 */
#include <pthread.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static alignas(16) char arena[1 << 20];
static size_t used;
static unsigned long calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void *malloc(size_t size)
{
	char *p = NULL;

	(void)pthread_mutex_lock(&lock);
	if (size < sizeof(arena) - used - 32) {
		p = arena + used + 16;
		memcpy(p - 16, &size, sizeof(size));
		used += (size + 31) / 16 * 16;
	}
	calls++;
	(void)pthread_mutex_unlock(&lock);
	return p;
}

void free(void *p)
{
	calls += p != NULL;
}

void *calloc(size_t n, size_t size)
{
	return malloc(n * size); /* never used before: zero */
}

void *realloc(void *p, size_t size)
{
	size_t old = 0;
	void *q = malloc(size);

	if (p)
		memcpy(&old, (char *)p - 16, sizeof(old));
	if (p && q)
		memcpy(q, p, old < size ? old : size);
	return q;
}

static int mine(const void *p)
{
	return (uintptr_t)p - (uintptr_t)arena < sizeof(arena);
}

static void *in_thread(void *text)
{
	return strdup(text);
}

int main(void)
{
	static char buffer[4096];
	volatile double burn = 1;
	char *line = NULL, *text = strdup("text");
	pthread_t thread;
	void *from = NULL;

	(void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	printf("strdup %s, mine %d\n", text, mine(text));
	free(text);
	if (asprintf(&line, "%d", 12345) != 5)
		return 1;
	printf("asprintf %s, mine %d\n", line, mine(line));
	line = realloc(line, 1000);
	printf("realloc %s, mine %d\n", line, mine(line));
	if (pthread_create(&thread, NULL, in_thread, line) ||
		pthread_join(thread, &from))
		return 1;
	printf("thread %s, mine %d\n", (char *)from, mine(from));
	for (long i = 0; i < 60000000; i++)
		burn = burn * 1.0000001;
	printf("calls %s\n", calls > 5 ? "many" : "few");
	return 0;
}
