/*
 * test_symbols.c - names for addresses: which symbol wins, and that no file,
 * however damaged, does more than leave addresses unnamed.
 *
 * The ELF files are made here, byte by byte: headers, a .text, a symbol table
 * as each case wants it, and a build id.
 */
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

static void section(unsigned i, uint32_t type, const void *at, uint64_t size)
{
	image.sections[i].sh_type = type;
	image.sections[i].sh_offset = (uint64_t)((const char *)at -
						 (const char *)&image);
	image.sections[i].sh_size = size;
}

static void new_image(uint32_t table_type)
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

static void symbol(const char *name, unsigned type, unsigned binding,
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

static void function(const char *name, uint64_t value, uint64_t size)
{
	symbol(name, STT_FUNC, STB_GLOBAL, value, size, SEC_TEXT);
}

static void save(const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	if (!f)
		exit(1);
	CHECK_EQ(fwrite(bytes, 1, n, f), n);
	CHECK_EQ(fclose(f), 0);
}

/* --- looking up ---------------------------------------------------------- */

static const struct module *module_with(
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

static const struct module *module_of_image(void)
{
	return module_with(image.note.id, 8, path);
}

static enum symbols_result look_up(
	const struct module *m, struct symbol *wanted, uint32_t n)
{
	struct symbols y;

	CHECK_EQ(symbols_init(&y, session, &arena, true), 0);
	return symbols_find(&y, m, wanted, n);
}

/* The name of the address in the file, "" if it gets none. */
static const char *name_at(uint64_t address)
{
	struct symbol wanted = { .key = BIAS + address };

	CHECK_EQ(look_up(module_of_image(), &wanted, 1), SYMBOLS_READ);
	return wanted.name ? wanted.name : "";
}

static void named(uint64_t address, const char *expected)
{
	const char *name = name_at(address);

	if (strcmp(name, expected) != 0)
		printf("# %#" PRIx64 " is '%s', expected '%s'\n", address, name,
			expected);
	CHECK(strcmp(name, expected) == 0);
}

/* --- which symbol -------------------------------------------------------- */

TEST(address_inside_a_symbol_gets_its_name)
{
	new_image(SHT_SYMTAB);
	function("one", TEXT + 0x10, 0x10);
	function("two", TEXT + 0x30, 0x10);
	save(&image, sizeof(image));
	named(TEXT + 0x10, "one");
	named(TEXT + 0x1f, "one");
	named(TEXT + 0x3f, "two");
}

TEST(address_in_no_symbol_gets_no_neighbour)
{
	new_image(SHT_SYMTAB);
	function("one", TEXT + 0x10, 0x10);
	function("two", TEXT + 0x30, 0x10);
	save(&image, sizeof(image));
	named(TEXT + 0x0f, "");
	named(TEXT + 0x20, "");
	named(TEXT + 0x2f, "");
	named(TEXT + 0x40, "");
}

TEST(many_addresses_are_named_in_one_go)
{
	struct symbol wanted[] = { { .key = BIAS + TEXT },
		{ .key = BIAS + TEXT + 0x10 }, { .key = BIAS + TEXT + 0x11 },
		{ .key = BIAS + TEXT + 0x2f }, { .key = BIAS + TEXT + 0x30 } };

	new_image(SHT_SYMTAB);
	function("two", TEXT + 0x30, 0x10);
	function("one", TEXT + 0x10, 0x10);
	save(&image, sizeof(image));
	CHECK_EQ(look_up(module_of_image(), wanted, 5), SYMBOLS_READ);
	CHECK(!wanted[0].name);
	CHECK(wanted[1].name && strcmp(wanted[1].name, "one") == 0);
	CHECK(wanted[2].name && strcmp(wanted[2].name, "one") == 0);
	CHECK(!wanted[3].name);
	CHECK(wanted[4].name && strcmp(wanted[4].name, "two") == 0);
}

TEST(innermost_symbol_wins)
{
	new_image(SHT_SYMTAB);
	function("inner", TEXT + 0x20, 8);
	function("outer", TEXT + 0x10, 0x40);
	save(&image, sizeof(image));
	named(TEXT + 0x1f, "outer");
	named(TEXT + 0x20, "inner");
	named(TEXT + 0x28, "outer");
}

/* Each list in order of preference; any order in the file. */
TEST(best_alias_wins_in_any_order)
{
	static const struct {
		const char *name;
		unsigned binding;
	} best_first[] = { { "open", STB_GLOBAL }, { "open64", STB_GLOBAL },
		{ "_open", STB_GLOBAL }, { "__open", STB_GLOBAL },
		{ "a", STB_WEAK }, { "_a", STB_WEAK }, { "b", STB_LOCAL } };
	unsigned n = PP_ARRAY_LEN(best_first);

	for (unsigned skip = 0; skip < n; skip++) {
		for (unsigned turn = 0; turn < n - skip; turn++) {
			new_image(SHT_SYMTAB);
			for (unsigned i = 0; i < n - skip; i++) {
				unsigned k = skip + (i + turn) % (n - skip);

				symbol(best_first[k].name, STT_FUNC,
					best_first[k].binding, TEXT, 0x10,
					SEC_TEXT);
			}
			save(&image, sizeof(image));
			named(TEXT + 1, best_first[skip].name);
		}
	}
}

TEST(versions_are_cut_off)
{
	new_image(SHT_SYMTAB);
	function("memcpy@@GLIBC_2.14", TEXT, 0x10);
	save(&image, sizeof(image));
	named(TEXT, "memcpy");
}

TEST(long_names_are_whole)
{
	char name[3001];

	memset(name, 'x', 3000);
	name[3000] = '\0';
	new_image(SHT_SYMTAB);
	function(name, TEXT, 0x10);
	save(&image, sizeof(image));
	named(TEXT, name);
}

TEST(data_and_undefined_symbols_name_no_code)
{
	new_image(SHT_SYMTAB);
	symbol("data", STT_OBJECT, STB_GLOBAL, TEXT, 0x10, SEC_TEXT);
	symbol("undefined", STT_FUNC, STB_GLOBAL, TEXT, 0x10, SHN_UNDEF);
	symbol("absolute", STT_NOTYPE, STB_GLOBAL, TEXT, 0x10, SHN_ABS);
	symbol("section", STT_SECTION, STB_LOCAL, TEXT, 0x10, SEC_TEXT);
	save(&image, sizeof(image));
	named(TEXT, "");
}

/* --- symbols without a size ---------------------------------------------- */

TEST(label_names_up_to_the_next_symbol_of_its_section)
{
	new_image(SHT_SYMTAB);
	symbol("_start", STT_NOTYPE, STB_GLOBAL, TEXT + 0x10, 0, SEC_TEXT);
	function("next", TEXT + 0x40, 8);
	symbol("tail", STT_FUNC, STB_LOCAL, TEXT + 0x60, 0, SEC_TEXT);
	symbol("table", STT_OBJECT, STB_LOCAL, TEXT + 0x80, 0, SEC_TEXT);
	symbol("last", STT_FUNC, STB_LOCAL, TEXT + 0x90, 0, SEC_TEXT);
	save(&image, sizeof(image));
	named(TEXT + 0x0f, "");
	named(TEXT + 0x10, "_start");
	named(TEXT + 0x3f, "_start");
	named(TEXT + 0x40, "next");
	named(TEXT + 0x48, ""); /* a function that ended is no label */
	named(TEXT + 0x60, "tail");
	named(TEXT + 0x80, "");
	named(TEXT + 0x8f, "");
	named(TEXT + TEXT_SIZE / 2 - 1, "last");
	named(TEXT + TEXT_SIZE / 2, ""); /* another section */
}

TEST(label_yields_to_a_function_of_the_same_start)
{
	new_image(SHT_SYMTAB);
	symbol("label", STT_NOTYPE, STB_GLOBAL, TEXT, 0, SEC_TEXT);
	symbol("sized", STT_FUNC, STB_LOCAL, TEXT, 0x10, SEC_TEXT);
	save(&image, sizeof(image));
	named(TEXT + 0xf, "sized");
	named(TEXT + 0x10, "");
}

TEST(label_in_dynsym_names_nothing)
{
	new_image(SHT_DYNSYM);
	symbol("exported", STT_FUNC, STB_GLOBAL, TEXT, 0, SEC_TEXT);
	function("sized", TEXT + 0x40, 0x10);
	save(&image, sizeof(image));
	named(TEXT + 1, "");
	named(TEXT + 0x41, "sized");
}

/* --- which file ---------------------------------------------------------- */

TEST(file_of_another_build_gives_no_names)
{
	struct symbol wanted = { .key = BIAS + TEXT };
	static const uint8_t other[8] = { 9 };

	new_image(SHT_SYMTAB);
	function("wrong", TEXT, 0x10);
	save(&image, sizeof(image));
	CHECK_EQ(look_up(module_with(other, 8, path), &wanted, 1),
		SYMBOLS_CHANGED);
	CHECK(!wanted.name);
	CHECK_EQ(look_up(module_with(NULL, 0, path), &wanted, 1),
		SYMBOLS_CHANGED);
	CHECK(!wanted.name);
}

TEST(without_build_ids_the_segment_has_to_fit)
{
	struct symbol wanted = { .key = BIAS + TEXT };

	new_image(SHT_SYMTAB);
	function("name", TEXT, 0x10);
	image.note.header.n_type = 0;
	save(&image, sizeof(image));
	CHECK_EQ(look_up(module_with(NULL, 0, path), &wanted, 1), SYMBOLS_READ);
	CHECK(wanted.name != NULL);
	wanted.name = NULL;
	image.segment.p_memsz++;
	save(&image, sizeof(image));
	CHECK_EQ(look_up(module_with(NULL, 0, path), &wanted, 1),
		SYMBOLS_CHANGED);
	CHECK(!wanted.name);
}

TEST(deleted_is_cut_off_the_path)
{
	struct symbol wanted = { .key = BIAS + TEXT };
	char deleted[100];

	new_image(SHT_SYMTAB);
	function("name", TEXT, 0x10);
	image.note.id[0] = 0x40; /* another module than those before */
	save(&image, sizeof(image));
	(void)snprintf(deleted, sizeof(deleted), "%s (deleted)", path);
	CHECK_EQ(look_up(module_with(image.note.id, 8, deleted), &wanted, 1),
		SYMBOLS_READ);
	CHECK(wanted.name != NULL);
}

TEST(what_is_no_file_is_missing_and_does_not_hang)
{
	static const char *const paths[] = { "/dev/zero", "/", "/nowhere", "",
		"/proc/self/mem" };
	struct symbol wanted = { .key = BIAS + TEXT };

	new_image(SHT_SYMTAB);
	for (unsigned i = 0; i < PP_ARRAY_LEN(paths); i++) {
		image.note.id[0] = (uint8_t)(0x50 + i);
		CHECK_EQ(look_up(module_with(image.note.id, 8, paths[i]),
				 &wanted, 1),
			SYMBOLS_MISSING);
	}
	(void)unlink(path);
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_EQ(look_up(module_of_image(), &wanted, 1), SYMBOLS_MISSING);
	(void)unlink(path);
	CHECK(!wanted.name);
}

TEST(vdso_is_read_from_memory)
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR);
	struct module_info info = { .start = base,
		.limit = base + 0x1000,
		.bias = base,
		.kind = MODULE_VDSO,
		.path = "[vdso]" };
	const struct module *m;
	struct symbol wanted[512];
	unsigned found = 0;

	if (!base) {
		printf("# no vdso here\n");
		return;
	}
	m = modules_get(session, modules_intern(session, &info));
	for (unsigned i = 0; i < 512; i++)
		wanted[i] = (struct symbol){ .key = base + i * 8 };
	CHECK_EQ(look_up(m, wanted, 512), SYMBOLS_READ);
	for (unsigned i = 0; i < 512; i++)
		found += wanted[i].name &&
			 strstr(wanted[i].name, "clock_gettime") != NULL;
	CHECK(found > 0);
}

/* --- hostile files ------------------------------------------------------- */

/* Two seconds are a thousand times what the largest real file needs here. */
static double look_up_seconds(uint32_t n)
{
	static struct symbol wanted[4096];
	struct timespec a, b;

	for (uint32_t i = 0; i < n; i++)
		wanted[i] = (struct symbol){ .key = BIAS + TEXT + i };
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	(void)look_up(module_of_image(), wanted, n);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a.tv_sec) +
	       (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

TEST(truncated_files_are_harmless)
{
	new_image(SHT_SYMTAB);
	for (unsigned i = 0; i < 20; i++)
		function("name", TEXT + i * 16, 16);
	for (size_t n = 0; n < sizeof(image); n += 7) {
		save(&image, n);
		CHECK(look_up_seconds(64) < 2);
		arena_free(&arena);
	}
}

TEST(damaged_files_are_harmless)
{
	uint64_t x = 1;

	for (unsigned round = 0; round < 3000; round++) {
		new_image(round & 1 ? SHT_SYMTAB : SHT_DYNSYM);
		for (unsigned i = 0; i < 20; i++)
			function("name", TEXT + i * 16, 16);
		for (unsigned k = 0; k < 1 + round % 5; k++) {
			/* Headers and tables; a byte, or all of a word. */
			size_t at = (x = pp_mix(x + k)) %
				    offsetof(struct image, symbols[24]);

			if (x >> 40 & 1)
				((uint8_t *)&image)[at] = (uint8_t)(x >> 48);
			else
				memset((uint8_t *)&image + (at & ~7ul),
					x >> 41 & 1 ? 0xff : 0x7f, 8);
		}
		save(&image, sizeof(image));
		CHECK(look_up_seconds(64) < 2);
		arena_free(&arena);
	}
}

/* A sparse file that claims a symbol table of 6 GB, and one in which every
 * symbol covers every address. */
TEST(monstrous_tables_end_soon)
{
	new_image(SHT_SYMTAB);
	function("name", TEXT, 16);
	image.sections[SEC_SYMBOLS].sh_size = UINT64_C(6) << 30;
	save(&image, sizeof(image));
	CHECK_EQ(truncate(path, INT64_C(8) << 30), 0);
	CHECK(look_up_seconds(4096) < 5);
	arena_free(&arena);
	new_image(SHT_SYMTAB);
	for (unsigned i = 0; i < 60; i++)
		function("n", TEXT - i, TEXT_SIZE * 2);
	save(&image, sizeof(image));
	CHECK(look_up_seconds(4096) < 2);
	arena_free(&arena);
}

TEST(refused_memory_leaves_addresses_unnamed)
{
	struct symbol wanted = { .key = BIAS + TEXT };
	struct symbols y;

	new_image(SHT_SYMTAB);
	function("name", TEXT, 16);
	save(&image, sizeof(image));
	for (uint32_t n = 1; n <= 4; n++) {
		wanted.name = NULL;
		CHECK_EQ(symbols_init(&y, session, &arena, true), 0);
		arena.fail_after = n;
		(void)symbols_find(&y, module_of_image(), &wanted, 1);
		CHECK(n < 3 ? !wanted.name : wanted.name != NULL);
		arena.fail_after = 0;
	}
}

/* --- perf maps ----------------------------------------------------------- */

static const char *map_name(uint64_t address)
{
	struct symbol wanted = { .key = address };
	static char name[5000];
	struct symbols y;

	CHECK_EQ(symbols_init(&y, session, &arena, true), 0);
	(void)symbols_find_jit(&y, &wanted, 1);
	if (!wanted.name)
		return "";
	memcpy(name, wanted.name, wanted.name_len);
	name[wanted.name_len] = '\0';
	return name;
}

static void write_map(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		CHECK(!"perf map written");
}

TEST(perf_map_names_code_made_at_run_time)
{
	char file[64];

	(void)snprintf(
		file, sizeof(file), "/tmp/perf-%u.map", session->identity.pid);
	write_map(file, "1000 10 first\n0x2000 0x20 py::f:/a b.py\n"
			"garbage\n3000\n3000 zz x\n\n1000 8 second");
	CHECK(strcmp(map_name(0x1000), "first") == 0);
	CHECK(strcmp(map_name(0x201f), "py::f:/a b.py") == 0);
	CHECK(strcmp(map_name(0x2020), "") == 0);
	CHECK(strcmp(map_name(0x3000), "") == 0);
	/* Reused memory: the last whole line counts. */
	write_map(file, "1000 10 first\n1000 8 second\n");
	CHECK(strcmp(map_name(0x1007), "second") == 0);
	CHECK(strcmp(map_name(0x1008), "first") == 0);
	/* Not followed, not waited for. */
	(void)unlink(file);
	write_map(path, "1000 10 first\n");
	CHECK_EQ(symlink(path, file), 0);
	CHECK(strcmp(map_name(0x1000), "") == 0);
	(void)unlink(file);
	CHECK_EQ(mkfifo(file, 0600), 0);
	CHECK(strcmp(map_name(0x1000), "") == 0);
	(void)unlink(file);
}

int main(void)
{
	struct settings set = { .memory_bytes = 16u << 20,
		.max_depth = 128,
		.session_place = SESSION_ANONYMOUS };

	(void)snprintf(
		path, sizeof(path), "/tmp/pprofc-test-symbols.%d", getpid());
	if (session_create(&set, &session) != 0)
		return 1;
	arena_init(&arena);
	RUN(address_inside_a_symbol_gets_its_name);
	RUN(address_in_no_symbol_gets_no_neighbour);
	RUN(many_addresses_are_named_in_one_go);
	RUN(innermost_symbol_wins);
	RUN(best_alias_wins_in_any_order);
	RUN(versions_are_cut_off);
	RUN(long_names_are_whole);
	RUN(data_and_undefined_symbols_name_no_code);
	RUN(label_names_up_to_the_next_symbol_of_its_section);
	RUN(label_yields_to_a_function_of_the_same_start);
	RUN(label_in_dynsym_names_nothing);
	RUN(file_of_another_build_gives_no_names);
	RUN(without_build_ids_the_segment_has_to_fit);
	RUN(deleted_is_cut_off_the_path);
	RUN(what_is_no_file_is_missing_and_does_not_hang);
	safe_read_start();
	RUN(vdso_is_read_from_memory);
	RUN(truncated_files_are_harmless);
	RUN(damaged_files_are_harmless);
	RUN(monstrous_tables_end_soon);
	RUN(refused_memory_leaves_addresses_unnamed);
	RUN(perf_map_names_code_made_at_run_time);
	arena_free(&arena);
	(void)unlink(path);
	return test_done();
}
