/*
 * arena.c - chunks of pages; see arena.h. Context: PP_ANY.
 */
#include "pp.h"

#include "arena.h"
#include "sys.h"

#define FIRST_CHUNK (256u * 1024)
#define LARGEST_CHUNK (16u * 1024 * 1024)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used; /* both count this header */
};

void arena_init(struct arena *a)
{
	*a = (struct arena){ .chunk_bytes = FIRST_CHUNK };
}

static struct arena_chunk *add_chunk(struct arena *a, size_t at_least)
{
	size_t size = PP_MAX(a->chunk_bytes,
		pp_round_up(
			at_least + sizeof(struct arena_chunk) + 16, PP_PAGE));
	struct arena_chunk *c = sys_map_pages(size);

	if (!c)
		return NULL;
	/* What is being written here, a forked child does not go on with. */
	if (!a->inherited)
		(void)sys_madvise(c, size, MADV_DONTFORK);
	c->size = size;
	c->used = pp_round_up(sizeof(*c), 16);
	c->next = a->chunks;
	a->chunks = c;
	a->total_bytes += size;
	if (a->chunk_bytes < LARGEST_CHUNK)
		a->chunk_bytes *= 2;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->chunks;
	void *p;

	if (a->fail_after && --a->fail_after == 0)
		return NULL;
	if (size > SIZE_MAX / 2)
		return NULL;
	size = pp_round_up(PP_MAX(size, 1u), 16);
	if (!c || c->size - c->used < size)
		c = add_chunk(a, size);
	if (!c)
		return NULL;
	p = (char *)c + c->used;
	c->used += size;
	return p;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *c = a->chunks;

	while (c) {
		struct arena_chunk *next = c->next;

		(void)sys_munmap(c, c->size);
		c = next;
	}
	arena_init(a);
}
