/*
 * test_symbols.c - names for addresses: which symbol wins.
 */
#include "pp.h"

#include "elf_by_hand.h"

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

/* No true symbol does; it must not look as if it ended before it starts. */
TEST(symbol_that_wraps_around_reaches_to_the_end)
{
	new_image(SHT_SYMTAB);
	function("wraps", TEXT + 0x10, UINT64_MAX);
	save(&image, sizeof(image));
	named(TEXT + 0x20, "wraps");
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

int main(void)
{
	if (!begin_symbols())
		return 1;
	RUN(address_inside_a_symbol_gets_its_name);
	RUN(address_in_no_symbol_gets_no_neighbour);
	RUN(many_addresses_are_named_in_one_go);
	RUN(innermost_symbol_wins);
	RUN(symbol_that_wraps_around_reaches_to_the_end);
	RUN(best_alias_wins_in_any_order);
	RUN(versions_are_cut_off);
	RUN(long_names_are_whole);
	RUN(data_and_undefined_symbols_name_no_code);
	RUN(label_names_up_to_the_next_symbol_of_its_section);
	RUN(label_yields_to_a_function_of_the_same_start);
	RUN(label_in_dynsym_names_nothing);
	end_symbols();
	return test_done();
}
