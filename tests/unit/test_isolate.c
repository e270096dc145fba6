/*
 * test_isolate.c - workers of `pprofc symbolize` that end in every bad way.
 *
 * BUILD: -lelf -lz -l:libiberty.a
 */
#include "pp.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delta.h"
#include "isolate.h"
#include "test.h"

static const struct isolate_limits limits = { .cpu_s = 1, .memory = 64u << 20 };

#define MANY (1u << 20) /* bytes: more than a pipe holds */

static int send_many(void *arg, struct wire_out *ret)
{
	static uint8_t bytes[MANY];

	memset(bytes, *(const uint8_t *)arg, sizeof(bytes));
	wire_put_raw(ret, (struct slice){ bytes, sizeof(bytes) });
	return 0;
}

TEST(isolate_gives_what_the_worker_made)
{
	uint8_t letter = 'a';
	struct isolate_result r;

	CHECK_EQ(isolate_run(send_many, &letter, &limits, &r), 0);
	CHECK_EQ(r.bytes.len, MANY);
	CHECK(r.bytes.len == MANY && r.bytes.data[MANY - 1] == 'a');
	isolate_free(&r);
}

static int crash(void *arg, struct wire_out *ret)
{
	(void)ret;
	(void)raise(*(const int *)arg);
	return 0;
}

static int fail(void *arg, struct wire_out *ret)
{
	(void)arg;
	wire_put_uint(ret, 1, 1);
	return -ENOMEM;
}

/* As libdw leaves when it has no memory. */
static int leave(void *arg, struct wire_out *ret)
{
	(void)ret;
	_exit(*(const int *)arg);
}

static int loop(void *arg, struct wire_out *ret)
{
	volatile unsigned n = 0;

	(void)arg;
	(void)ret;
	while (n != UINT32_MAX)
		n -= n;
	return 0;
}

static volatile unsigned deepest;

static PP_NOINLINE unsigned fall(unsigned depth)
{
	volatile char room[4096];

	room[0] = (char)depth;
	deepest = depth;
	return depth == UINT32_MAX ? 0 : fall(depth + 1) + (unsigned)room[0];
}

static int overflow(void *arg, struct wire_out *ret)
{
	(void)arg;
	(void)ret;
	return fall(0) == 7;
}

static int eat(void *arg, struct wire_out *ret)
{
	(void)arg;
	(void)ret;
	for (;;) {
		char *p = malloc(1u << 20);

		if (!p)
			return -ENOMEM;
		memset(p, 1, 1u << 20);
	}
}

static void check_lost(isolate_fn *fn, int arg, const char *reason)
{
	struct isolate_result r;
	char text[64];

	CHECK_EQ(isolate_run(fn, &arg, &limits, &r), -ECHILD);
	isolate_reason(&r, &limits, text, sizeof(text));
	CHECK(strcmp(text, reason) == 0);
	isolate_free(&r);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

TEST(isolate_survives_crashes)
{
	check_lost(crash, SIGSEGV, "crashed with signal 11");
	check_lost(crash, SIGABRT, "crashed with signal 6");
	check_lost(crash, SIGBUS, "crashed with signal 7");
	check_lost(crash, SIGKILL, "was killed, maybe for its memory");
}

TEST(isolate_survives_a_stack_overflow)
{
	check_lost(overflow, 0, "crashed with signal 11");
}

TEST(isolate_ends_a_loop)
{
	check_lost(loop, 0, "took more than 1 s");
}

TEST(isolate_ends_what_eats_memory)
{
	check_lost(eat, 0, "took too much memory");
}

TEST(isolate_takes_nothing_of_a_failure)
{
	check_lost(fail, 0, "took too much memory");
	check_lost(leave, 1, "took too much memory");
}

/* --- what a damaged worker may send --------------------------------------- */

/* A profile of one location without lines. */
static struct pprof *make_profile(struct functions *f)
{
	static const uint8_t bytes[] = { 0x1a, 2, 8, 1, /* a mapping */
		0x22, 4, 8, 1, 16, 1,			/* a location */
		0x32, 0 };
	struct pprof *p = NULL;

	CHECK_EQ(pprof_read(bytes, sizeof(bytes), &p), 0);
	CHECK_EQ(functions_init(f, p, NAMES_NONE), 0);
	return p;
}

static int take(struct functions *f, const uint8_t *bytes, size_t len)
{
	struct wire w = wire_open((struct slice){ bytes, len });
	struct wire_field field;
	struct delta d;
	int err = 0;

	delta_open(&d, f);
	while (!err && wire_next(&w, &field))
		err = delta_take(&d, &field);
	delta_close(&d);
	return err;
}

TEST(delta_brings_a_function_and_its_line)
{
	static const uint8_t bytes[] = { 0x0a, 1, 'f', /* string 1 */
		0x12, 4, 8, 1, 16, 1,		       /* function 0 */
		0x1a, 2, 16, 9,			       /* its line 9 */
		0x22, 2, 24, 1 };		       /* location 0: 1 line */
	struct functions f;
	struct pprof *p = make_profile(&f);

	CHECK_EQ(take(&f, bytes, sizeof(bytes)), 0);
	CHECK_EQ(p->locations[0].line_count, 1);
	CHECK_EQ(p->lines[p->locations[0].first_line].line, 9);
	CHECK_EQ(p->strings[p->functions[0].name].data[0], 'f');
	functions_free(&f);
	pprof_free(p);
}

TEST(delta_checks_every_index)
{
	static const uint8_t bad[][8] = {
		{ 0x12, 2, 8, 1 },    /* function with a string not there */
		{ 0x1a, 2, 8, 5 },    /* line of a function not there */
		{ 0x22, 2, 8, 1 },    /* location not there */
		{ 0x22, 2, 24, 1 },   /* lines not there */
		{ 0x22, 2, 16, 1 },   /* first line not there */
		{ 0x2a, 2, 8, 1 },    /* mapping not there */
		{ 0x2a, 2, 0x32, 0 }, /* field not there */
		{ 0x7a, 0, 0x7a, 0 }, /* kind not there */
	};

	for (size_t i = 0; i < PP_ARRAY_LEN(bad); i++) {
		struct functions f;
		struct pprof *p = make_profile(&f);

		CHECK_EQ(take(&f, bad[i], 4), -EBADMSG);
		CHECK_EQ(p->locations[0].line_count, 0);
		functions_free(&f);
		pprof_free(p);
	}
}

int main(void)
{
	RUN(isolate_gives_what_the_worker_made);
	RUN(isolate_survives_crashes);
	RUN(isolate_survives_a_stack_overflow);
	RUN(isolate_ends_a_loop);
	RUN(isolate_ends_what_eats_memory);
	RUN(isolate_takes_nothing_of_a_failure);
	RUN(delta_brings_a_function_and_its_line);
	RUN(delta_checks_every_index);
	return test_done();
}
