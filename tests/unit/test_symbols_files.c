/*
 * test_symbols_files.c - names for addresses: which file they come from, and
 * that none, however damaged, does more than leave addresses unnamed.
 */
#include "pp.h"

#include "elf_by_hand.h"

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
	static const struct timespec long_ago[2] = { { 1000000000, 0 },
		{ 1000000000, 0 } };
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
	/* Of a process that had our id. */
	CHECK_EQ(utimensat(AT_FDCWD, file, long_ago, 0), 0);
	CHECK(strcmp(map_name(0x1000), "") == 0);
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
	if (!begin_symbols())
		return 1;
	RUN(file_of_another_build_gives_no_names);
	RUN(without_build_ids_the_segment_has_to_fit);
	RUN(deleted_is_cut_off_the_path);
	RUN(what_is_no_file_is_missing_and_does_not_hang);
	RUN(vdso_is_read_from_memory);
	RUN(truncated_files_are_harmless);
	RUN(damaged_files_are_harmless);
	RUN(monstrous_tables_end_soon);
	RUN(refused_memory_leaves_addresses_unnamed);
	RUN(perf_map_names_code_made_at_run_time);
	end_symbols();
	return test_done();
}
