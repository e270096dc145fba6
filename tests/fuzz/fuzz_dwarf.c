/*
 * fuzz_dwarf.c - a hostile ELF file with DWARF through the lookup of pprofc
 * symbolize (core/symbolize/object.c, find.c, lookup.c, scopes.c,
 * entry_name.c).
 *
 * What is between, libdw, is not ours: a crash inside it ends only the helper.
 * So the fuzzer goes on past crashes here, and the saved inputs are those that
 * libdw survives.
 */
#include "pp.h"

#include <string.h>

#include "entry_name.h"
#include "find.h"
#include "lookup.h"
#include "module.h"

#include "fuzz.h"

#define PLACES 128u

/* Touch all of a text. */
static void look(const char *text)
{
	MUST(!text || strlen(text) < SIZE_MAX / 2);
}

static int visit(
	void *arg, uint32_t user, const struct lookup_frame *frames, size_t n)
{
	unsigned *seen = arg;

	MUST(user < PLACES && n >= 1 && n <= LOOKUP_DEPTH);
	MUST(++seen[user] == 1);
	for (size_t i = 0; i < n; i++) {
		struct lookup_frame frame = frames[i];
		struct function_name name;

		look(frame.file);
		if (!frame.function.addr ||
			!entry_name(&frame.function, frame.file, &name))
			continue;
		look(name.name);
		look(name.system_name);
		free(name.system_name
				? names_readable(name.system_name, NAMES_SIMPLE)
				: NULL);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct find_where where = { .debug_dirs = NULL };
	struct find_what what = { .path = fuzz_file(data, size) };
	struct lookup_place places[PLACES];
	unsigned seen[PLACES] = { 0 };
	GElf_Phdr segment;
	struct module m;
	uint64_t bias;

	(void)module_open(&m, &where, &what);
	(void)module_segment(
		&m, 0x555555555000, 0x555555556000, 0x1000, &segment, &bias);
	for (uint32_t i = 0; i < PLACES; i++)
		places[i] = (struct lookup_place){ .address = i * 16u,
			.user = i };
	if (m.dwarf)
		MUST(lookup(m.dwarf, places, PLACES, visit, seen) == 0);
	module_close(&m);
	return 0;
}
