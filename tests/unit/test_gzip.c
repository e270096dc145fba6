/* test_gzip.c - the gzip stream: read back by zlib's inflate. */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "gzip.h"

#include "test.h"

#define MOST (4u * 1024 * 1024)

struct collected {
	uint8_t bytes[MOST];
	size_t len;
	unsigned calls, fail_at; /* the fail_at-th call fails; 0 = none */
};

static struct collected got;
static int level = 1;
static uint8_t input[MOST], output[MOST];

static int collect(void *arg, const void *data, size_t len)
{
	struct collected *c = arg;

	if (++c->calls == c->fail_at)
		return -ENOSPC;
	if (len > MOST - c->len)
		return -EFBIG;
	memcpy(c->bytes + c->len, data, len);
	c->len += len;
	return 0;
}

static void make_input(size_t n, bool random)
{
	uint64_t x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = pp_mix(x + i);
		input[i] = random ? (uint8_t)x : (uint8_t)(i % 61);
	}
}

/* Push n bytes of input in parts; 0 or the first error. */
static int push(struct arena *arena, size_t n, size_t part)
{
	struct gzip *g;
	int err = gzip_begin(arena, level, collect, &got, &g);

	for (size_t at = 0; at < n && !err; at += part)
		err = gzip_write(g, input + at, PP_MIN(part, n - at));
	return err ? err : gzip_finish(g);
}

static int squeeze(size_t n, size_t part)
{
	struct arena arena;
	int err;

	arena_init(&arena);
	got.len = got.calls = got.fail_at = 0;
	err = push(&arena, n, part);
	arena_free(&arena);
	return err;
}

/* The length of what got holds, unpacked; -1 if it is no whole stream. */
static long unpack(void)
{
	z_stream z = { .next_in = got.bytes,
		.avail_in = (uInt)got.len,
		.next_out = output,
		.avail_out = MOST };
	int ret = inflateInit2(&z, 15 + 16);

	if (ret == Z_OK)
		ret = inflate(&z, Z_FINISH);
	(void)inflateEnd(&z);
	return ret == Z_STREAM_END && z.avail_in == 0 ? (long)z.total_out : -1;
}

TEST(stream_unpacks_to_the_input)
{
	static const size_t sizes[] = { 0, 1, 31, 4096, 70000, 3000000 };
	static const size_t parts[] = { 1u << 20, 333, 65536 };

	for (unsigned i = 0; i < PP_ARRAY_LEN(sizes); i++) {
		for (unsigned k = 0; k < 2 * PP_ARRAY_LEN(parts); k++) {
			make_input(sizes[i], k & 1);
			CHECK_EQ(squeeze(sizes[i], parts[k / 2]), 0);
			CHECK_EQ(unpack(), sizes[i]);
			CHECK(memcmp(input, output, sizes[i]) == 0);
		}
	}
}

TEST(header_carries_no_time_and_no_name)
{
	static const uint8_t head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0 };

	make_input(100, false);
	CHECK_EQ(squeeze(100, 100), 0);
	CHECK(memcmp(got.bytes, head, sizeof(head)) == 0);
}

TEST(what_repeats_gets_smaller)
{
	make_input(1000000, false);
	CHECK_EQ(squeeze(1000000, 4096), 0);
	CHECK(got.len < 20000);
}

TEST(what_is_stored_is_not_compressed)
{
	make_input(1000000, false);
	level = 0;
	CHECK_EQ(squeeze(1000000, 4096), 0);
	level = 1;
	CHECK_EQ(unpack(), 1000000);
	CHECK(memcmp(input, output, 1000000) == 0);
	CHECK(got.len > 1000000 && got.len < 1001000);
}

TEST(error_of_the_sink_ends_the_stream)
{
	make_input(MOST / 2, true);
	for (unsigned at = 1; at <= 3; at++) {
		struct arena arena;

		arena_init(&arena);
		got.len = got.calls = 0;
		got.fail_at = at;
		CHECK_EQ(push(&arena, MOST / 2, 10000), -ENOSPC);
		CHECK_EQ(got.calls, at);
		arena_free(&arena);
	}
}

TEST(refused_memory_is_an_error)
{
	int err = -ENOMEM;

	for (unsigned n = 1; err && n < 100; n++) {
		struct arena arena;

		arena_init(&arena);
		arena.fail_after = n;
		got.len = got.calls = got.fail_at = 0;
		err = push(&arena, 100, 100);
		CHECK(err == 0 || err == -ENOMEM);
		CHECK(n > 1 || err == -ENOMEM);
		arena_free(&arena);
	}
	CHECK_EQ(err, 0);
}

int main(void)
{
	RUN(stream_unpacks_to_the_input);
	RUN(header_carries_no_time_and_no_name);
	RUN(what_repeats_gets_smaller);
	RUN(what_is_stored_is_not_compressed);
	RUN(error_of_the_sink_ends_the_stream);
	RUN(refused_memory_is_an_error);
	return test_done();
}
