/*
 * test_symbolize_cache.c - what one profile knows, given to another.
 *
 * BUILD: -ldw -lelf -lz -l:libiberty.a
 */
#include "pp.h"

#include <string.h>

#include "cache.h"
#include "pprof.h"
#include "test.h"
#include "wire.h"

#define ID "0123456789abcdef"
#define TEXT(s) ((struct slice){ (const uint8_t *)(s), strlen(s) })

/* One mapping at `start`, of offset 0x1000, and one location 0x234 in it. */
struct kind {
	uint64_t start, read;
	const char *id, *name;
	int64_t line; /* < 0: the location has no function */
};

static const struct kind known = { 0x10000, 0, ID, "f", 7 },
			 nameless = { 0x50000, 0, ID, "f", -1 };

static void put_message(
	struct wire_out *all, uint32_t number, struct wire_out *m)
{
	wire_put_bytes(all, number, (struct slice){ m->data, m->len });
	m->len = 0;
}

static void put_location(struct wire_out *all, const struct kind *k)
{
	struct wire_out m = { 0 }, line = { 0 };

	wire_put_uint(&m, 1, 1);
	wire_put_uint(&m, 2, 1);
	wire_put_uint(&m, 3, k->start + 0x234);
	wire_put_uint(&line, 1, 1);
	wire_put_uint(&line, 2, (uint64_t)k->line);
	if (k->line >= 0)
		wire_put_bytes(&m, 4, (struct slice){ line.data, line.len });
	put_message(all, PPROF_LOCATION, &m);
	wire_out_free(&m);
	wire_out_free(&line);
}

static struct wire_out make_bytes(const struct kind *k)
{
	struct wire_out all = { 0 }, m = { 0 };

	wire_put_uint(&m, 1, 1);
	wire_put_uint(&m, 2, k->start);
	wire_put_uint(&m, 3, k->start + 0x1000);
	wire_put_uint(&m, 4, 0x1000);
	wire_put_uint(&m, 6, 2);
	wire_put_uint(&m, PPROF_MAPPING_READ, k->read);
	put_message(&all, PPROF_MAPPING, &m);
	put_location(&all, k);
	wire_put_uint(&m, 1, 1);
	wire_put_uint(&m, 2, 1);
	wire_put_uint(&m, 3, 1);
	wire_put_uint(&m, 4, k->line > 0 ? 3 : 0);
	put_message(&all, PPROF_FUNCTION, &m);
	wire_put_bytes(&all, PPROF_STRING, TEXT(""));
	wire_put_bytes(&all, PPROF_STRING, TEXT(k->name));
	wire_put_bytes(&all, PPROF_STRING, TEXT(k->id));
	wire_put_bytes(&all, PPROF_STRING, TEXT("f.c"));
	wire_out_free(&m);
	return all;
}

/* What cache_give() says of `to` when `from` is in the cache; -1 when nothing
 * could be taken of that. */
static int given(const struct kind *from, const struct kind *to,
	int64_t *ret_line, enum names_style style)
{
	struct cache *c = cache_new(style);
	struct wire_out a = make_bytes(from), b = make_bytes(to);
	struct pprof *p = NULL, *q = NULL;
	struct functions f;
	int got = -1;

	CHECK_EQ(pprof_read(a.data, a.len, &p), 0);
	CHECK_EQ(pprof_read(b.data, b.len, &q), 0);
	CHECK_EQ(functions_init(&f, q, style), 0);
	if (cache_take(c, p)) {
		pprof_free(p); /* copies are left */
		memset(a.data, 'x', a.len);
		p = NULL;
		CHECK_EQ(cache_begin(c, &f), 0);
		got = cache_give(c, 0);
		*ret_line = q->locations[0].line_count
				    ? q->lines[q->locations[0].first_line].line
				    : -1;
	}
	functions_free(&f);
	pprof_free(p);
	pprof_free(q);
	wire_out_free(&a);
	wire_out_free(&b);
	cache_free(c);
	return got;
}

static struct kind marked(struct kind k, enum names_style style)
{
	k.read = cache_rules(style);
	return k;
}

static int given_simple(struct kind from, const struct kind *to, int64_t *line)
{
	from = marked(from, NAMES_SIMPLE);
	return given(&from, to, line, NAMES_SIMPLE);
}

TEST(cache_gives_lines_to_the_same_place)
{
	struct kind named = nameless;
	int64_t line = 0;

	CHECK_EQ(given_simple(known, &nameless, &line), 1);
	CHECK_EQ(line, 7);
	named.line = 0;
	CHECK_EQ(given_simple(known, &named, &line), 1);
	CHECK_EQ(line, 7);
}

TEST(cache_gives_nothing_to_another_symbol_or_build)
{
	struct kind to = nameless;
	int64_t line;

	to.id = "0123456789abcdee";
	CHECK_EQ(given_simple(known, &to, &line), 0);
	CHECK_EQ(line, -1);
	to = nameless;
	to.line = 0;
	to.name = "g";
	CHECK_EQ(given_simple(known, &to, &line), 0);
	CHECK_EQ(line, 0);
}

TEST(cache_remembers_that_there_is_nothing)
{
	int64_t line;
	struct kind to = nameless, bare = known;

	CHECK_EQ(given_simple(nameless, &nameless, &line), 1);
	CHECK_EQ(line, -1);
	to.line = bare.line = 0;
	CHECK_EQ(given_simple(bare, &to, &line), 1);
	CHECK_EQ(line, 0);
	CHECK_EQ(given_simple(bare, &nameless, &line), 1);
	CHECK_EQ(line, 0);
}

TEST(cache_takes_only_what_is_marked_and_has_a_build_id)
{
	struct kind other = marked(known, NAMES_FULL);
	struct kind no_id = known, at_zero = known;
	int64_t line;

	CHECK_EQ(given(&known, &nameless, &line, NAMES_SIMPLE), -1);
	CHECK_EQ(given(&other, &nameless, &line, NAMES_SIMPLE), -1);
	CHECK_EQ(given(&other, &nameless, &line, NAMES_FULL), 1);
	no_id.id = "";
	CHECK_EQ(given_simple(no_id, &no_id, &line), -1);
	no_id.id = "no hexadecimal";
	CHECK_EQ(given_simple(no_id, &no_id, &line), -1);
	at_zero.start = 0;
	CHECK_EQ(given_simple(at_zero, &nameless, &line), -1);
}

int main(void)
{
	RUN(cache_gives_lines_to_the_same_place);
	RUN(cache_gives_nothing_to_another_symbol_or_build);
	RUN(cache_remembers_that_there_is_nothing);
	RUN(cache_takes_only_what_is_marked_and_has_a_build_id);
	return test_done();
}
