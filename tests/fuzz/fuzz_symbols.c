/*
 * fuzz_symbols.c - a hostile ELF file through the in-process symbol reader:
 * headers, build id, both symbol tables, names (core/report/elf_file.c,
 * match.c, symbols.c).
 */
#include "pp.h"

#include <string.h>

#include "elf_file.h"
#include "match.h"
#include "modules.h"
#include "session.h"
#include "symbols.h"

#include "fuzz.h"

#define BIAS UINT64_C(0x555500000000)
#define WANTED 96u

static uint64_t path_off; /* the file's name in the session */

static struct session *begin(void)
{
	static struct session *s;
	struct settings set = { .memory_bytes = 1u << 20,
		.max_depth = 16,
		.session_place = SESSION_ANONYMOUS };

	if (s)
		return s;
	MUST(session_create(&set, &s) == 0);
	path_off = session_extend(s, PP_PAGE);
	MUST(path_off != 0);
	return s;
}

/* The module that fits the file, so that its symbols are read. */
static void make_module(const struct elf *e, struct module *m)
{
	Elf64_Phdr p;

	m->build_id_len = (uint8_t)elf_build_id(e, m->build_id);
	MUST(m->build_id_len <= ELF_BUILD_ID_MAX);
	for (uint32_t i = 0; i < 64 && elf_segment(e, i, &p) == 0; i++) {
		if (p.p_type != PT_LOAD)
			continue;
		m->file_offset = p.p_offset;
		m->start = BIAS + p.p_vaddr;
		m->limit = m->start + p.p_memsz;
		return;
	}
}

/* Every 64 bytes from where linkers put code. */
static void make_wanted(struct symbol *wanted)
{
	memset(wanted, 0, WANTED * sizeof(*wanted));
	for (uint32_t i = 0; i < WANTED; i++) {
		wanted[i].key = BIAS + 0xff0 + (uint64_t)i * 64;
		wanted[i].user = i;
	}
}

static void check_names(const struct symbol *wanted)
{
	for (uint32_t i = 0; i < WANTED; i++) {
		MUST(wanted[i].user == i);
		if (!wanted[i].name)
			continue;
		MUST(wanted[i].name_len > 0);
		MUST(!memchr(wanted[i].name, 0, wanted[i].name_len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session *s = begin();
	const char *path = fuzz_file(data, size);
	struct module m = { .bias = BIAS, .kind = MODULE_FILE };
	struct symbol wanted[WANTED];
	struct symbols y;
	struct arena arena;
	struct elf e;

	if (elf_open(&e, path) != 0)
		return 0;
	make_module(&e, &m);
	elf_close(&e);
	m.path_off = path_off;
	m.path_len = (uint16_t)strlen(path);
	memcpy(session_at(s, path_off), path, strlen(path) + 1);
	make_wanted(wanted);
	arena_init(&arena);
	if (symbols_init(&y, s, &arena, true) == 0) {
		(void)symbols_find(&y, &m, wanted, WANTED);
		check_names(wanted);
	}
	arena_free(&arena);
	return 0;
}
