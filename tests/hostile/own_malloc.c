/*
 * own_malloc.c - an executable that exports an allocator of its own, which
 * everybody uses, and whose memory only its own free understands.
 * BUILD: -rdynamic -fno-builtin-malloc
 */
#include <stddef.h>
#include <stdint.h>
#include "hostile.h"

#define MARK 0x1d1d1d1d1d1d1d1dul

static _Alignas(16) char arena[64 << 20];
static size_t used;

struct piece {
	uint64_t mark, size;
};

void *malloc(size_t size)
{
	size_t at = __atomic_fetch_add(&used,
		((size + 15) & ~(size_t)15) + sizeof(struct piece),
		__ATOMIC_RELAXED);
	struct piece *p = (struct piece *)(arena + at);

	if (at + size + sizeof(*p) > sizeof(arena))
		return NULL;
	*p = (struct piece){ MARK, size };
	return p + 1;
}

void free(void *p)
{
	struct piece *mine = (struct piece *)p - 1;

	if (!p)
		return;
	MUST((char *)p > arena && (char *)p < arena + sizeof(arena));
	MUST(mine->mark == MARK);
	mine->mark = 0;
}

void *calloc(size_t n, size_t size)
{
	return malloc(n * size); /* the arena is zero, nothing comes again */
}

void *realloc(void *old, size_t size)
{
	void *p = malloc(size);
	size_t had = old ? ((struct piece *)old - 1)->size : 0;

	if (p && old) {
		memcpy(p, old, had < size ? had : size);
		free(old);
	}
	return p;
}

int main(void)
{
	char *text;

	hold();
	churn(1000);
	MUST(asprintf(&text, "%d", 12345) == 5);
	free(text);
	free(strdup("mine"));
	burn(40);
	dump();
	printf("fine\n");
	return 0;
}
