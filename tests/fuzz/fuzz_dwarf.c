/*
 * fuzz_dwarf.c - a hostile ELF file with DWARF through the lookup of pprofc
 * symbolize (core/symbolize/object.c, find.c, lookup.c, scopes.c,
 * entries.c, entry_name.c, elf_names.c).
 *
 * What is between, libdw, is not ours: a crash inside it ends only the helper.
 * So the fuzzer goes on past crashes here, and the saved inputs are those that
 * libdw survives.
 */
#include "pp.h"

#include <stdlib.h>
#include <string.h>

#include "elf_names.h"
#include "entry_name.h"
#include "find.h"
#include "lookup.h"
#include "module.h"
#include "names.h"

#include "fuzz.h"

#define PLACES 128u

/* Touch all of a text. */
static void look(const char *text)
{
	MUST(!text || strlen(text) < SIZE_MAX / 2);
}

struct state {
	struct module m;
	struct entry_names names;
	unsigned seen[PLACES];
};

static int visit(
	void *arg, uint32_t user, const struct lookup_frame *frames, size_t n)
{
	struct state *s = arg;

	MUST(user < PLACES && n >= 1 && n <= LOOKUP_DEPTH);
	MUST(++s->seen[user] == 1);
	for (size_t i = 0; i < n; i++) {
		const struct entry_name *e;

		look(frames[i].file);
		look(frames[i].entry);
		if (!frames[i].function.addr)
			continue;
		e = entry_names_get(&s->names, &frames[i].function);
		if (!e)
			continue;
		look(e->name);
		look(e->file);
		look(e->linkage);
		free(e->linkage ? names_readable(e->linkage, NAMES_SIMPLE)
				: NULL);
	}
	return 0;
}

static Dwarf *renew(void *arg)
{
	struct state *s = arg;

	entry_names_free(&s->names);
	entry_names_init(&s->names);
	return module_renew(&s->m) ? s->m.dwarf : NULL;
}

static void look_up(struct state *s)
{
	struct lookup_place places[PLACES];
	bool incomplete = false;

	for (uint32_t i = 0; i < PLACES; i++)
		places[i] = (struct lookup_place){ .address = i * 16u,
			.user = i };
	entry_names_init(&s->names);
	if (s->m.dwarf)
		(void)lookup(s->m.dwarf, places, PLACES,
			&(struct lookup_visitor){
				visit, renew, &incomplete, s });
	entry_names_free(&s->names);
}

static void find_names(const struct module *m)
{
	struct elf_names names;

	elf_names_open(&names, m);
	for (uint64_t address = 0; address < PLACES; address++)
		look(elf_names_find(&names, address * 16));
	elf_names_free(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct find_where where = { .debug_dirs = NULL };
	struct find_what what = { .path = fuzz_file(data, size) };
	struct state s = { 0 };
	GElf_Phdr segment;
	uint64_t bias;

	(void)module_open(&s.m, &where, &what);
	(void)module_segment(&s.m, 0x555555555000, 0x1000, &segment, &bias);
	look_up(&s);
	find_names(&s.m);
	module_close(&s.m);
	return 0;
}
