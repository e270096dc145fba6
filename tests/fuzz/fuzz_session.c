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

#include "session.h"
#include "session_open.h"

#include "fuzz.h"
#include "good_session.h"

#define CHANGES 64u

static uint8_t *good;
static uint64_t good_bytes, good_cap;

static void make_good(void)
{
	struct session *s = good_session();

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
	good_session_report(s);
	session_close(s);
	return 0;
}
