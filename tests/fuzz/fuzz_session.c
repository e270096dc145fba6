/*
 * fuzz_session.c - a hostile session file, opened, recovered and reported as
 * `pprofc recover` does (core/store, core/report).
 *
 * The input is a list of changes to a good session, which is made here: a byte
 * that says in which part, two for the place, one for how many bytes, and the
 * bytes.
 */
#include "pp.h"

#include <string.h>
#include <unistd.h>

#include "live.h"
#include "modules.h"
#include "profile.h"
#include "ring.h"
#include "rows.h"
#include "session.h"
#include "session_open.h"
#include "snapshot.h"
#include "stacks.h"
#include "threads.h"

#include "fuzz.h"

#define ROWS 12u
#define OBJECTS 64u
#define CHANGES 64u

static uint8_t *good;
static uint64_t good_bytes, good_cap;

/* --- the good one -------------------------------------------------------- */

static unsigned add_module(struct session *s, unsigned i)
{
	uint8_t id[8] = { (uint8_t)i, 1, 2, 3 };
	struct module_info info = { .start = 0x400000 + i * 0x100000u,
		.limit = 0x440000 + i * 0x100000u,
		.bias = i * 0x100000u,
		.kind = MODULE_FILE,
		.is_main = i == 0,
		.build_id = id,
		.build_id_len = sizeof(id),
		.path = i ? "/nowhere/libfuzz.so" : "/nowhere/fuzz" };

	return modules_intern(s, &info);
}

static void add_row(struct session *s, unsigned i, unsigned module)
{
	frame_t frames[4];
	struct row_key key = { .kind = (uint16_t)(i % ROW_KINDS) };
	struct record r = { .kind = i % ROW_KINDS == ROW_CPU ? RECORD_CPU
							     : RECORD_ALLOC,
		.time_ns = s->start_mono_ns + i,
		.count = ROW_ONE,
		.amount = 4096,
		.size = 4096 };

	for (unsigned f = 0; f < PP_ARRAY_LEN(frames); f++)
		frames[f] = frame_make(
			0x400000 + module * 0x100000u + i * 64 + f * 8, f == 0,
			module);
	key.stack = stacks_intern(s, frames, PP_ARRAY_LEN(frames));
	key.thread[0] = key.kind == ROW_CPU ? 'w' : '\0';
	r.row = rows_intern(s, &key);
	ring_push(s, r, 1, false);
	for (unsigned k = 0; r.kind == RECORD_ALLOC && k < OBJECTS / ROWS; k++)
		MUST(live_put(s, 0x7000000 + (i * OBJECTS + k) * 64u,
			&(struct live_value){ .row = r.row,
				.size = 4096,
				.objects = ROW_ONE }));
}

static void make_good(void)
{
	struct settings set = { .profiles = 15,
		.cpu_hz = 100,
		.heap_rate = 4096,
		.memory_bytes = 4u << 20,
		.max_depth = 128,
		.session_place = SESSION_ANONYMOUS,
		.program = "fuzz" };
	struct session *s;
	unsigned modules[3];

	MUST(session_create(&set, &s) == 0);
	MUST(threads_take(s, 4711) == 1);
	for (unsigned i = 0; i < PP_ARRAY_LEN(modules); i++)
		modules[i] = add_module(s, i);
	for (unsigned i = 0; i < ROWS; i++)
		add_row(s, i, modules[i % PP_ARRAY_LEN(modules)]);
	s->anonymous = 0;
	good_bytes = atomic_load(&s->used);
	good_cap = s->cap;
	good = malloc(good_bytes);
	MUST(good);
	memcpy(good, s, good_bytes);
	session_close(s);
}

/* --- changes ------------------------------------------------------------- */

/* Where a change counts from. */
static uint64_t part(unsigned i)
{
	const struct session *s = (const struct session *)(void *)good;

	switch (i % 16) {
	case 0:
		return 0;
	case 1:
		return offsetof(struct session, stack_index);
	case 2:
		return offsetof(struct session, stats);
	case 3:
		return offsetof(struct session, settings);
	case 4:
		return s->ring_off;
	case 5:
		return s->stack_index.seg[0];
	case 6:
		return s->row_index.seg[0];
	case 7:
		return s->rows.seg[0];
	case 8:
		return s->live_keys.seg[0];
	case 9:
		return s->live_values.seg[0];
	case 10:
		return s->modules.seg[0];
	case 11:
		return s->threads.seg[0];
	case 12:
		return s->stack_chunk >> 24;
	case 13:
		return s->module_text >> 24;
	default:
		return good_bytes - UINT16_MAX / 2;
	}
}

static void change(uint8_t *file, struct fuzz_input *in)
{
	for (unsigned i = 0; in->left && i < CHANGES; i++) {
		uint64_t at = part(fuzz_u8(in));
		size_t n;

		at += fuzz_u16(in);
		n = 1 + fuzz_u8(in) % 32;
		if (at + n <= good_bytes)
			fuzz_take(in, file + at, n);
	}
}

/* --- what recover does with it ------------------------------------------- */

static int take(void *arg, const void *data, size_t len)
{
	uint64_t *sum = arg;

	for (size_t i = 0; i < len; i++)
		*sum += ((const uint8_t *)data)[i];
	return 0;
}

static void report(struct session *s, enum profile_kind kind)
{
	struct report_request request = { .kind = kind };
	struct snapshot snap;
	struct arena arena;
	uint64_t sum = 0;

	arena_init(&arena);
	if (snapshot_take(s, &request, &arena, &snap) == 0)
		(void)profile_write(&snap, &request, &arena, take, &sum);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	const char *path;
	struct session *s;
	uint8_t *file;

	if (!good)
		make_good();
	file = malloc(good_bytes);
	MUST(file);
	memcpy(file, good, good_bytes);
	change(file, &in);
	path = fuzz_file(file, good_bytes);
	free(file);
	MUST(ftruncate(fuzz_fd(), (off_t)good_cap) == 0);
	if (session_open(path, &s) != 0)
		return 0;
	for (unsigned kind = 0; kind < PROFILE_KINDS; kind++)
		report(s, (enum profile_kind)kind);
	session_close(s);
	return 0;
}
