/*
 * heap_hooks.c - every function of the malloc family at its edges: what comes
 * back, and errno. The output must not depend on who serves.
 * BUILD: -fno-builtin
 *
 * heap_hooks [portable | reach]
 *   `portable` leaves out pvalloc, which jemalloc leaves to libc. With `reach`
 *   each function is called once through a function of its own, and what it
 *   allocated is kept; what frees is called once, too.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not in every libc; the first is for old programs, the others are C23. */
void cfree(void *p) __attribute__((weak));
void free_sized(void *p, size_t size) __attribute__((weak));
void free_aligned_sized(void *p, size_t align, size_t size)
	__attribute__((weak));

static volatile size_t most = SIZE_MAX;

/* One line: NULL or not, aligned as it must be, errno, size. Frees p. */
static void show(const char *what, void *p, size_t align, int err)
{
	printf("%s: %s, aligned %d, errno %d, usable %zu\n", what,
		p ? "memory" : "NULL", (uintptr_t)p % align == 0, err,
		malloc_usable_size(p));
	free(p);
}

/* errno is 77 before each call. */
#define SHOW(align, call)                      \
	do {                                   \
		void *p_;                      \
		errno = 77;                    \
		p_ = (call);                   \
		show(#call, p_, align, errno); \
	} while (0)

static void allocate(void)
{
	SHOW(16, malloc(0));
	SHOW(16, malloc(1));
	SHOW(16, malloc(100000));
	SHOW(16, malloc(10000000));
	SHOW(16, malloc(most));
	SHOW(16, malloc(most / 2));
	SHOW(16, malloc(most - 1));
	SHOW(16, calloc(0, 0));
	SHOW(16, calloc(0, 10));
	SHOW(16, calloc(10, 10));
	SHOW(16, calloc(most, 2));
	SHOW(16, calloc(most, 1));
	SHOW(16, calloc(most / 2 + 2, 2));
	SHOW(16, realloc(NULL, 0));
	SHOW(16, realloc(NULL, 30));
	SHOW(16, realloc(NULL, most));
	SHOW(16, reallocarray(NULL, 0, 0));
	SHOW(16, reallocarray(NULL, 10, 10));
	SHOW(16, reallocarray(NULL, most, 2));
	SHOW(16, reallocarray(NULL, most / 2, 1));
}

static void allocate_aligned(void)
{
	SHOW(16, memalign(0, 10));
	SHOW(16, memalign(3, 10));
	SHOW(64, memalign(48, 10));
	SHOW(4096, memalign(4096, 0));
	SHOW(16, memalign(most / 2 + 2, 10));
	SHOW(64, memalign(64, most));
	SHOW(64, aligned_alloc(64, 640));
	SHOW(16, aligned_alloc(3, 10));
	SHOW(64, aligned_alloc(64, most / 2));
	SHOW(4096, valloc(0));
	SHOW(4096, valloc(1));
	SHOW(4096, valloc(most));
	SHOW(16, strdup("some text"));
	SHOW(16, strndup("some text", 3));
}

static void allocate_pages(void)
{
	SHOW(4096, pvalloc(0));
	SHOW(4096, pvalloc(1));
	SHOW(4096, pvalloc(5000));
	SHOW(4096, pvalloc(most));
}

static void posix(size_t align, size_t size)
{
	static char untouched;
	void *p = &untouched;
	int err;

	errno = 77;
	err = posix_memalign(&p, align, size);
	printf("posix_memalign(%zu, %zu) = %d, pointer %s: ", align, size, err,
		p == &untouched ? "untouched" : "set");
	show("", p == &untouched ? NULL : p, align ? align : 16, errno);
}

static void fill(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7);
}

static int filled(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != (char)(i * 7))
			return 0;
	return 1;
}

static void resize(size_t from, size_t to)
{
	char *p = malloc(from), *q;
	int err;

	fill(p, from);
	errno = 77;
	q = realloc(p, to);
	err = errno;
	printf("realloc(%zu -> %zu): kept %d: ", from, to,
		q    ? filled(q, from < to ? from : to)
		: to ? filled(p, from)
		     : -1);
	show("", q, 16, err);
	if (!q && to)
		free(p);
}

static void resize_array(size_t n, size_t size)
{
	char *p = malloc(100), *q;
	int err;

	fill(p, 100);
	errno = 77;
	q = reallocarray(p, n, size);
	err = errno;
	printf("reallocarray(%zu, %zu): kept %d: ", n, size,
		filled(q ? q : p, 100));
	show("", q, 16, err);
	if (!q)
		free(p);
}

static void zeroed(void)
{
	int dirty = 0;

	for (int i = 0; i < 1000; i++) {
		char *p = malloc((size_t)i + 1), *q;

		memset(p, 0xff, (size_t)i + 1);
		free(p);
		q = calloc((size_t)i + 1, 1);
		for (int k = 0; k <= i; k++)
			dirty += q[k] != 0;
		free(q);
	}
	printf("calloc: %d dirty bytes\n", dirty);
}

static void frees(void)
{
	errno = 77;
	free(NULL);
	free(malloc(10));
	free(malloc(10000000));
	printf("free: errno %d\n", errno);
	printf("usable: %zu %d\n", malloc_usable_size(NULL), errno);
}

/* --- reach ---------------------------------------------------------------*/

static void *kept[32];
static int keep_count;

static void keep(void *p)
{
	kept[keep_count++] = p;
}

#define REACH(name, call)                                        \
	static __attribute__((noinline)) void reach_##name(void) \
	{                                                        \
		void *p = (call);                                \
		__asm__ volatile("" : "+r"(p) : : "memory");     \
		keep(p);                                         \
	}

static void *by_posix_memalign(size_t align, size_t size)
{
	void *p = NULL;

	return posix_memalign(&p, align, size) ? NULL : p;
}

static void *freed(void (*how)(void *), size_t size)
{
	void *p = malloc(size);

	if (how)
		how(p);
	else
		free(p);
	return NULL;
}

static void by_free_sized(void *p)
{
	free_sized(p, 1005);
}

static void by_free_aligned_sized(void *p)
{
	free_aligned_sized(p, 16, 1006);
}

REACH(malloc, malloc(101))
REACH(calloc, calloc(51, 2))
REACH(realloc, realloc(malloc(1), 103))
REACH(reallocarray, reallocarray(NULL, 52, 2))
REACH(memalign, memalign(64, 105))
REACH(aligned_alloc, aligned_alloc(64, 106))
REACH(posix_memalign, by_posix_memalign(64, 107))
REACH(valloc, valloc(108))
REACH(pvalloc, pvalloc(109))
REACH(free, freed(free, 1003))
REACH(cfree, freed(cfree, 1004))
REACH(free_sized, freed(free_sized ? by_free_sized : NULL, 1005))
REACH(free_aligned_sized,
	freed(free_aligned_sized ? by_free_aligned_sized : NULL, 1006))

static void reach(void)
{
	reach_malloc();
	reach_calloc();
	reach_realloc();
	reach_reallocarray();
	reach_memalign();
	reach_aligned_alloc();
	reach_posix_memalign();
	reach_valloc();
	reach_pvalloc();
	reach_free();
	reach_cfree();
	reach_free_sized();
	reach_free_aligned_sized();
	printf("%zu %s\n", malloc_usable_size(kept[0]) / 1000,
		cfree && free_sized && free_aligned_sized ? "all" : "some");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "reach") == 0) {
		reach();
		return 0;
	}
	allocate();
	allocate_aligned();
	if (argc == 1)
		allocate_pages();
	posix(64, 100);
	posix(3, 100);
	posix(0, 100);
	posix(4, 100);
	posix(4096, 0);
	posix(64, most);
	resize(10, 100000);
	resize(100000, 10);
	resize(100, 0);
	resize(5000000, 9000000);
	resize(100, most);
	resize(100, most / 2);
	resize_array(10, 100);
	resize_array(most / 2, 4);
	resize_array(most / 4, 2);
	zeroed();
	frees();
	return 0;
}
