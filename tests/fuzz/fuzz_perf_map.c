/*
 * fuzz_perf_map.c - a hostile /tmp/perf-PID.map (core/report/perf_map.c).
 */
#include "pp.h"

#include <string.h>
#include <unistd.h>

#include "session.h"
#include "symbols.h"

#include "fuzz.h"

#define WANTED 64u

static struct session session;
static char path[64];

static void remove_map(void)
{
	(void)unlink(path);
}

static void begin(void)
{
	if (path[0])
		return;
	session.identity.pid = (uint32_t)getpid();
	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	(void)atexit(remove_map);
}

static void write_map(const uint8_t *data, size_t size)
{
	FILE *f = fopen(path, "we");

	MUST(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbol wanted[WANTED];
	struct symbols y;
	struct arena arena;

	begin();
	write_map(data, size);
	memset(wanted, 0, sizeof(wanted));
	for (uint32_t i = 0; i < WANTED; i++)
		wanted[i].key = 0x1000 + (uint64_t)i * (i < 32 ? 16 : 0x100000);
	arena_init(&arena);
	MUST(symbols_init(&y, &session, &arena, true) == 0);
	MUST(symbols_find_jit(&y, wanted, WANTED) == SYMBOLS_READ);
	for (uint32_t i = 0; i < WANTED; i++)
		MUST(!wanted[i].name || (wanted[i].name_len > 0 &&
						!memchr(wanted[i].name, '\n',
							wanted[i].name_len)));
	arena_free(&arena);
	return 0;
}
