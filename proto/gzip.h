/*
 * gzip.h - a gzip stream of bytes pushed in, to a sink.
 *
 * zlib's deflate with memory from an arena: about 300 KB, allocated in
 * gzip_begin(), nothing later. The header carries no time and no name, so equal
 * input gives equal files.
 *
 * Owner: the arena's. Context: PP_ANY.
 */
#ifndef GZIP_H
#define GZIP_H

#include "pp.h"

#include "arena.h"

typedef int gzip_sink_fn(void *arg, const void *data, size_t len);

struct gzip; /* lives in the arena */

/* Level 0 (stored) to 9, as zlib's. Returns 0 or -ENOMEM. */
int gzip_begin(struct arena *arena, int level, gzip_sink_fn *sink, void *arg,
	struct gzip **ret_gzip) PP_ANY;

/* 0, or what the sink returned (then the stream is dead). The first parameter
 * is void so that this is itself a sink. */
int gzip_write(void *gzip, const void *data, size_t len) PP_ANY;

/* Flush everything and the trailer. */
int gzip_finish(struct gzip *g) PP_ANY;

#endif
