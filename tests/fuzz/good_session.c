/* good_session.c - see good_session.h. */
#include "pp.h"

#include <string.h>

#include "live.h"
#include "modules.h"
#include "profile.h"
#include "ring.h"
#include "rows.h"
#include "snapshot.h"
#include "stacks.h"
#include "threads.h"

#include "fuzz.h"
#include "good_session.h"

#define ROWS 12u
#define OBJECTS 64u

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

struct session *good_session(void)
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
	s->identity.pid = GOOD_SESSION_PID;
	return s;
}

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

void good_session_report(struct session *s)
{
	for (unsigned kind = 0; kind < PROFILE_KINDS; kind++)
		report(s, (enum profile_kind)kind);
}
