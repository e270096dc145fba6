/*
 * elf_by_hand.h - ELF files made byte by byte, and looking up names in them.
 * For the tests of symbols.
 *
 * A file has headers, a .text, a symbol table as each case wants it, and a
 * build id.
 */
#ifndef ELF_BY_HAND_H
#define ELF_BY_HAND_H

#include "pp.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "elf_file.h"
#include "modules.h"
#include "safe_read.h"
#include "session.h"
#include "symbols.h"

#include "test.h"

#define TEXT 0x1000u /* address and offset of .text in the file */
#define TEXT_SIZE 0x1000u
#define BIAS 0x555500000000u

static char path[64];
static struct session *session;
static struct arena arena;

/* --- ELF files by hand --------------------------------------------------- */

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segment, note_segment;
	Elf64_Shdr sections[6]; /* none, .text, .init, symbols, strings, note */
	struct {
		Elf64_Nhdr header;
		char name[4];
		uint8_t id[8];
	} note;
	Elf64_Sym symbols[64];
	char strings[4096];
};

enum { SEC_TEXT = 1, SEC_INIT, SEC_SYMBOLS, SEC_STRINGS, SEC_NOTE };

static struct image image;
static uint32_t symbol_count, string_bytes;

static inline void section(
	unsigned i, uint32_t type, const void *at, uint64_t size)
{
	image.sections[i].sh_type = type;
	image.sections[i].sh_offset = (uint64_t)((const char *)at -
						 (const char *)&image);
	image.sections[i].sh_size = size;
}

static inline void new_image(uint32_t table_type)
{
	Elf64_Ehdr *h = &image.header;

	memset(&image, 0, sizeof(image));
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_machine = EM_X86_64;
	h->e_phoff = offsetof(struct image, segment);
	h->e_phnum = 2;
	h->e_phentsize = sizeof(Elf64_Phdr);
	h->e_shoff = offsetof(struct image, sections);
	h->e_shnum = PP_ARRAY_LEN(image.sections);
	h->e_shentsize = sizeof(Elf64_Shdr);
	image.segment = (Elf64_Phdr){ .p_type = PT_LOAD,
		.p_flags = PF_X,
		.p_vaddr = TEXT,
		.p_offset = TEXT,
		.p_memsz = TEXT_SIZE };
	section(SEC_TEXT, SHT_PROGBITS, &image, TEXT_SIZE / 2);
	section(SEC_INIT, SHT_PROGBITS, &image, TEXT_SIZE / 2);
	for (unsigned i = SEC_TEXT; i <= SEC_INIT; i++) {
		image.sections[i].sh_flags = SHF_EXECINSTR;
		image.sections[i].sh_addr = TEXT +
					    (i - SEC_TEXT) * TEXT_SIZE / 2;
	}
	section(SEC_SYMBOLS, table_type, image.symbols, 0);
	image.sections[SEC_SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
	image.sections[SEC_SYMBOLS].sh_link = SEC_STRINGS;
	section(SEC_STRINGS, SHT_STRTAB, image.strings, sizeof(image.strings));
	section(SEC_NOTE, SHT_NOTE, &image.note, sizeof(image.note));
	image.note.header = (Elf64_Nhdr){ 4, 8, NT_GNU_BUILD_ID };
	memcpy(image.note.name, "GNU", 4);
	memcpy(image.note.id, "\1\2\3\4\5\6\7\10", 8);
	symbol_count = 1; /* the first is reserved */
	string_bytes = 1;
}

static inline void symbol(const char *name, unsigned type, unsigned binding,
	uint64_t value, uint64_t size, unsigned in_section)
{
	Elf64_Sym *s = &image.symbols[symbol_count++];

	s->st_name = string_bytes;
	strcpy(image.strings + string_bytes, name);
	string_bytes += (uint32_t)strlen(name) + 1;
	s->st_info = ELF64_ST_INFO(binding, type);
	s->st_value = value;
	s->st_size = size;
	s->st_shndx = (uint16_t)in_section;
	image.sections[SEC_SYMBOLS].sh_size = symbol_count * sizeof(*s);
}

static inline void function(const char *name, uint64_t value, uint64_t size)
{
	symbol(name, STT_FUNC, STB_GLOBAL, value, size, SEC_TEXT);
}

static inline void save(const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	if (!f)
		exit(1);
	CHECK_EQ(fwrite(bytes, 1, n, f), n);
	CHECK_EQ(fclose(f), 0);
}

/* --- looking up ---------------------------------------------------------- */

static inline const struct module *module_with(
	const uint8_t *id, unsigned id_len, const char *file)
{
	struct module_info info = { .start = BIAS + TEXT,
		.limit = BIAS + TEXT + TEXT_SIZE,
		.file_offset = TEXT,
		.bias = BIAS,
		.kind = MODULE_FILE,
		.build_id = id,
		.build_id_len = id_len,
		.path = file };

	return modules_get(session, modules_intern(session, &info));
}

static inline const struct module *module_of_image(void)
{
	return module_with(image.note.id, 8, path);
}

static inline enum symbols_result look_up(
	const struct module *m, struct symbol *wanted, uint32_t n)
{
	struct symbols y;

	CHECK_EQ(symbols_init(&y, session, &arena, true), 0);
	return symbols_find(&y, m, wanted, n);
}

/* The name of the address in the file, "" if it gets none. */
static inline const char *name_at(uint64_t address)
{
	struct symbol wanted = { .key = BIAS + address };

	CHECK_EQ(look_up(module_of_image(), &wanted, 1), SYMBOLS_READ);
	return wanted.name ? wanted.name : "";
}

static inline void named(uint64_t address, const char *expected)
{
	const char *name = name_at(address);

	if (strcmp(name, expected) != 0)
		printf("# %#" PRIx64 " is '%s', expected '%s'\n", address, name,
			expected);
	CHECK(strcmp(name, expected) == 0);
}

/* False: no session. */
static inline bool begin_symbols(void)
{
	struct settings set = { .memory_bytes = 16u << 20,
		.max_depth = 128,
		.session_place = SESSION_ANONYMOUS };

	(void)snprintf(
		path, sizeof(path), "/tmp/pprofc-test-symbols.%d", getpid());
	if (session_create(&set, &session) != 0)
		return false;
	arena_init(&arena);
	return true;
}

static inline void end_symbols(void)
{
	arena_free(&arena);
	(void)unlink(path);
}

#endif
