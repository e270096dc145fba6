/*
 * gzip.c - see gzip.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <limits.h>

#define ZLIB_CONST
#include <zlib.h>

#include "arena.h"
#include "gzip.h"

#define OUT_BYTES (32u * 1024)
#define GZIP_WINDOW (15 + 16) /* 32 KiB window; +16: gzip, not zlib framing */

struct gzip {
	z_stream z;
	gzip_sink_fn *sink;
	void *arg;
	int error;
	uint8_t out[OUT_BYTES];
};

static voidpf take(voidpf arena, uInt items, uInt size)
{
	return arena_alloc(arena, (size_t)items * size);
}

static void give_back(voidpf arena, voidpf p)
{
	(void)arena; /* the arena goes as a whole */
	(void)p;
}

int gzip_begin(struct arena *arena, int level, gzip_sink_fn *sink, void *arg,
	struct gzip **ret_gzip)
{
	struct gzip *g = arena_alloc(arena, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->z.zalloc = take;
	g->z.zfree = give_back;
	g->z.opaque = arena;
	g->sink = sink;
	g->arg = arg;
	if (deflateInit2(&g->z, level, Z_DEFLATED, GZIP_WINDOW, 8,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	g->z.next_out = g->out;
	g->z.avail_out = sizeof(g->out);
	*ret_gzip = g;
	return 0;
}

static int hand_over(struct gzip *g)
{
	size_t len = sizeof(g->out) - g->z.avail_out;

	g->z.next_out = g->out;
	g->z.avail_out = sizeof(g->out);
	return len ? g->sink(g->arg, g->out, len) : 0;
}

/* Deflate what is pending and hand over each time that the room for what comes
 * out is full. With Z_NO_FLUSH until the input is consumed, with Z_FINISH until
 * the stream has ended. */
static int pump(struct gzip *g, int flush)
{
	int ret;

	do {
		ret = deflate(&g->z, flush);
		if (ret == Z_STREAM_ERROR)
			g->error = -EINVAL;
		else if (g->z.avail_out == 0 || flush == Z_FINISH)
			g->error = hand_over(g);
	} while (!g->error && ret != Z_STREAM_END &&
		 (g->z.avail_in || flush == Z_FINISH));
	return g->error;
}

int gzip_write(void *gzip, const void *data, size_t len)
{
	struct gzip *g = gzip;
	const uint8_t *p = data;

	while (len && !g->error) {
		size_t part = PP_MIN(len, (size_t)INT_MAX);

		g->z.next_in = p;
		g->z.avail_in = (uInt)part;
		(void)pump(g, Z_NO_FLUSH);
		p += part;
		len -= part;
	}
	return g->error;
}

int gzip_finish(struct gzip *g)
{
	if (g->error)
		return g->error;
	return pump(g, Z_FINISH);
}
