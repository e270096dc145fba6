/*
 * test_symbolize.c - the parts of `pprofc symbolize` that need no DWARF.
 *
 * BUILD: -lelf -lz -l:libiberty.a
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ids.h"
#include "load.h"
#include "names.h"
#include "pprof.h"
#include "replace.h"
#include "test.h"
#include "wire.h"

#define TEXT(s) ((struct slice){ (const uint8_t *)(s), strlen(s) })

TEST(wire_gives_back_what_was_put)
{
	struct wire_out o = { 0 };
	struct wire_field f;
	struct wire w;

	wire_put_uint(&o, 3, UINT64_MAX);
	wire_put_uint(&o, 4, 0); /* a default: left out */
	wire_put_bytes(&o, 5, TEXT("abc"));
	w = wire_open((struct slice){ o.data, o.len });
	CHECK(wire_next(&w, &f) && f.number == 3 && f.value == UINT64_MAX);
	CHECK(wire_next(&w, &f) && f.number == 5 && f.bytes.len == 3);
	CHECK(!wire_next(&w, &f) && !w.bad);
	wire_out_free(&o);
}

TEST(wire_every_cut_is_bad_or_shorter)
{
	static const uint8_t whole[] = { 0x18, 0xac, 0x02, 0x2a, 3, 'a', 'b',
		'c' };

	for (size_t len = 1; len < sizeof(whole); len++) {
		struct wire w = wire_open((struct slice){ whole, len });
		struct wire_field f;

		while (wire_next(&w, &f))
			;
		CHECK_EQ(w.bad, len != 3);
	}
}

TEST(wire_varint_of_eleven_bytes_is_bad)
{
	uint8_t bytes[12];
	struct wire w = wire_open((struct slice){ bytes, sizeof(bytes) });
	uint64_t value;

	memset(bytes, 0xff, sizeof(bytes));
	CHECK(!wire_next_varint(&w, &value) && w.bad);
}

static uint64_t unshift(uint64_t x, unsigned by)
{
	uint64_t y = x;

	for (unsigned done = by; done < 64; done += by)
		y = x ^ y >> by;
	return y;
}

/* Of an odd number, modulo 2^64. */
static uint64_t inverse(uint64_t x)
{
	uint64_t y = x;

	for (int i = 0; i < 6; i++)
		y *= 2 - x * y;
	return y;
}

static uint64_t unmix(uint64_t x)
{
	x = unshift(x, 31) * inverse(0x94d049bb133111ebu);
	x = unshift(x, 27) * inverse(0xbf58476d1ce4e5b9u);
	return unshift(x, 30);
}

/* 10^10 steps if they all went to one place. */
TEST(ids_chosen_to_collide_take_no_longer)
{
	struct ids t = { 0 };

	CHECK_EQ(pp_mix(unmix(1234567)), 1234567);
	for (uint32_t i = 0; i < 150000; i++)
		CHECK(ids_add(&t, unmix((uint64_t)i << 32), i));
	for (uint32_t i = 0; i < 150000; i++)
		CHECK_EQ(ids_get(&t, unmix((uint64_t)i << 32)), i);
	CHECK(clock() < 5 * CLOCKS_PER_SEC);
	ids_free(&t);
}

TEST(ids_find_all_of_a_key_and_grow)
{
	struct ids t = { 0 };
	size_t cursor = 0;

	CHECK_EQ(ids_get(&t, 7), IDS_NONE);
	for (uint32_t i = 0; i < 1000; i++)
		CHECK(ids_add(&t, i / 2, i));
	for (uint32_t i = 0; i < 500; i++)
		CHECK_EQ(ids_get(&t, i) / 2, i);
	CHECK_EQ(ids_find(&t, 9, &cursor) + ids_find(&t, 9, &cursor), 18 + 19);
	CHECK_EQ(ids_find(&t, 9, &cursor), IDS_NONE);
	ids_free(&t);
}

/* --- names ---------------------------------------------------------------- */

static void check_name(
	const char *mangled, enum names_style style, const char *wanted)
{
	char *name = names_readable(mangled, style);

	if (!name || strcmp(name, wanted) != 0)
		printf("# %s is %s, expected %s\n", mangled,
			name ? name : "nothing", wanted);
	CHECK(name && strcmp(name, wanted) == 0);
	free(name);
}

TEST(names_simple_lose_templates_and_parameters)
{
	check_name("_ZN2ns3fooIiEEvT_", NAMES_SIMPLE, "ns::foo");
	check_name("_ZN2ns3fooIiEEvT_", NAMES_FULL, "void ns::foo<int>(int)");
	check_name("_ZN6vectorIiLi3EE4pushEi", NAMES_SIMPLE, "vector::push");
	check_name("_ZNK1AltERKS_", NAMES_SIMPLE, "A::operator<");
	check_name("_ZltI1AEbRKT_S3_", NAMES_SIMPLE, "operator<");
	check_name("_ZlsI1AERSoS1_RKT_", NAMES_SIMPLE, "operator<<");
	check_name("_ZNK3PtrIiEptEv", NAMES_SIMPLE, "Ptr::operator->");
	check_name("_ZmiIiET_S0_S0_", NAMES_SIMPLE, "operator-");
	check_name("_Z3fooi.constprop.0", NAMES_SIMPLE, "foo");
}

TEST(names_of_rust_have_no_hash)
{
	check_name("_ZN4core3fmt5write17h0123456789abcdefE", NAMES_SIMPLE,
		"core::fmt::write");
	check_name("_RNvCs1234_7mycrate3foo", NAMES_SIMPLE, "mycrate::foo");
}

TEST(names_of_c_and_bad_names_stay)
{
	CHECK(!names_readable("main", NAMES_SIMPLE));
	CHECK(!names_readable("", NAMES_SIMPLE));
	CHECK(!names_readable("_Z", NAMES_SIMPLE));
	CHECK(!names_readable("_ZN2ns3fooEv", NAMES_NONE));
}

/* --- profiles ------------------------------------------------------------- */

/* One mapping, location, function, sample; `extra` behind. */
static struct wire_out make_profile(uint64_t function, struct slice extra)
{
	struct wire_out all = { 0 }, m = { 0 }, line = { 0 };

	wire_put_uint(&m, 1, 1);
	wire_put_bytes(&all, PPROF_MAPPING, (struct slice){ m.data, m.len });
	m.len = 0;
	wire_put_uint(&line, 1, function);
	wire_put_uint(&m, 1, 9);
	wire_put_uint(&m, 2, 1);
	wire_put_bytes(&m, 4, (struct slice){ line.data, line.len });
	wire_put_uint(&m, 30, 4); /* nobody knows this one */
	wire_put_bytes(&all, PPROF_LOCATION, (struct slice){ m.data, m.len });
	m.len = 0;
	wire_put_uint(&m, 1, UINT64_C(1) << 40);
	wire_put_uint(&m, 2, 1);
	wire_put_bytes(&all, PPROF_FUNCTION, (struct slice){ m.data, m.len });
	wire_put_bytes(&all, PPROF_STRING, TEXT(""));
	wire_put_bytes(&all, PPROF_STRING, TEXT("main"));
	wire_put_raw(&all, extra);
	wire_out_free(&m);
	wire_out_free(&line);
	return all;
}

static int read_out(const struct wire_out *o, struct pprof **ret)
{
	return pprof_read(o->data, o->len, ret);
}

TEST(pprof_refers_to_what_is_there)
{
	struct wire_out good = make_profile(UINT64_C(1) << 40, TEXT("")),
			bad = make_profile(5, TEXT(""));
	struct pprof *p = NULL;

	CHECK_EQ(read_out(&good, &p), 0);
	CHECK_EQ(p->location_count, 1);
	CHECK_EQ(p->locations[0].mapping, 1);
	CHECK_EQ(p->lines[p->locations[0].first_line].function, 0);
	pprof_free(p);
	CHECK_EQ(read_out(&bad, &p), -EBADMSG);
	CHECK_EQ(pprof_read(good.data, 0, &p), -ENODATA);
	for (size_t len = 1; len < good.len; len++) {
		struct pprof *cut = NULL;

		if (pprof_read(good.data, len, &cut) == 0)
			pprof_free(cut);
	}
	wire_out_free(&good);
	wire_out_free(&bad);
}

static int put_all(void *arg, const void *data, size_t len)
{
	wire_put_raw(arg, (struct slice){ data, len });
	return 0;
}

TEST(pprof_new_lines_and_everything_else_are_written)
{
	struct wire_out in = make_profile(UINT64_C(1) << 40, TEXT("")),
			out = { 0 };
	struct pprof *p = NULL, *again = NULL;
	struct pprof_function f = { .changed = true };

	CHECK_EQ(read_out(&in, &p), 0);
	f.name = f.system_name = pprof_add_string(p, TEXT("inner"));
	CHECK_EQ(pprof_add_function(p, &f), 1);
	p->locations[0].first_line = (uint32_t)p->line_count;
	p->locations[0].line_count = 2;
	p->locations[0].named = true;
	CHECK(pprof_add_line(p, 1, 12) && pprof_add_line(p, 0, 30));
	CHECK_EQ(pprof_write(p, put_all, &out), 0);
	CHECK_EQ(read_out(&out, &again), 0);
	CHECK_EQ(again->locations[0].line_count, 2);
	CHECK_EQ(again->lines[0].line, 12);
	CHECK_EQ(again->lines[1].line, 30);
	CHECK_EQ(again->functions[1].id, (UINT64_C(1) << 40) + 1);
	CHECK(memmem(out.data, out.len, "\xf0\x01\x04", 3)); /* field 30 */
	pprof_free(again);
	pprof_free(p);
	wire_out_free(&in);
	wire_out_free(&out);
}

/* --- files ---------------------------------------------------------------- */

static char dir[] = "/tmp/pprofc-unit.XXXXXX";
static char path[64];

static void write_file(const char *to, const char *text)
{
	FILE *f = fopen(to, "we");

	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int files_in_dir(void)
{
	char command[96], n[16] = "-1";
	FILE *f;

	(void)snprintf(command, sizeof(command), "ls -A %s | wc -l", dir);
	f = popen(command, "re");
	CHECK(f && fgets(n, sizeof(n), f) && pclose(f) == 0);
	return atoi(n);
}

TEST(replace_keeps_the_mode_and_leaves_nothing_beside)
{
	struct wire_out in = make_profile(UINT64_C(1) << 40, TEXT(""));
	struct pprof *p = NULL;
	struct stat was, now;
	struct load l;
	bool gone;

	write_file(path, "old");
	CHECK_EQ(chmod(path, 0640), 0);
	CHECK_EQ(stat(path, &was), 0);
	CHECK_EQ(read_out(&in, &p), 0);
	CHECK_EQ(replace_file(path, &was, true, p, &gone), 0);
	CHECK(!gone);
	CHECK_EQ(stat(path, &now), 0);
	CHECK_EQ(now.st_mode & 0777, 0640);
	CHECK_EQ(files_in_dir(), 1);
	CHECK_EQ(load_file(path, &l), 0);
	CHECK(l.was_gzip && l.len == in.len);
	load_free(&l);
	pprof_free(p);
	wire_out_free(&in);
}

TEST(replace_does_not_bring_back_what_is_gone)
{
	struct wire_out in = make_profile(UINT64_C(1) << 40, TEXT(""));
	struct pprof *p = NULL;
	struct stat was;
	struct load l;
	bool gone;

	CHECK_EQ(stat(path, &was), 0);
	CHECK_EQ(read_out(&in, &p), 0);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(replace_file(path, &was, true, p, &gone), 0);
	CHECK(gone);
	CHECK_EQ(files_in_dir(), 0);
	write_file(path, "another");
	was.st_ino++; /* whatever it was, not this */
	CHECK_EQ(replace_file(path, &was, true, p, &gone), 0);
	CHECK(gone);
	CHECK_EQ(load_file(path, &l), 0);
	CHECK_EQ(l.len, strlen("another"));
	load_free(&l);
	CHECK_EQ(files_in_dir(), 1);
	pprof_free(p);
	wire_out_free(&in);
}

TEST(load_of_damaged_gzip_says_which_kind)
{
	static const uint8_t cut[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3 };
	static const uint8_t bad[] = { 0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9 };
	struct load l;

	CHECK_EQ(load_bytes(cut, sizeof(cut), &l), -EPIPE);
	CHECK_EQ(load_bytes(bad, sizeof(bad), &l), -EILSEQ);
	CHECK_EQ(load_file(dir, &l), -EINVAL);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/a.pb.gz", dir);
	RUN(wire_gives_back_what_was_put);
	RUN(wire_every_cut_is_bad_or_shorter);
	RUN(wire_varint_of_eleven_bytes_is_bad);
	RUN(ids_chosen_to_collide_take_no_longer);
	RUN(ids_find_all_of_a_key_and_grow);
	RUN(names_simple_lose_templates_and_parameters);
	RUN(names_of_rust_have_no_hash);
	RUN(names_of_c_and_bad_names_stay);
	RUN(pprof_refers_to_what_is_there);
	RUN(pprof_new_lines_and_everything_else_are_written);
	RUN(replace_keeps_the_mode_and_leaves_nothing_beside);
	RUN(replace_does_not_bring_back_what_is_gone);
	RUN(load_of_damaged_gzip_says_which_kind);
	(void)unlink(path);
	(void)rmdir(dir);
	return test_done();
}
