/*
 * test_known_names.c - names looked for once for several profiles are those
 * that each would have found alone.
 */
#include "pp.h"

#include "elf_by_hand.h"
#include "known_names.h"

#define FUNCTIONS 60u
#define FUNCTION_BYTES 16u

static unsigned module;

static void image_of_functions(void)
{
	const struct module *m;
	char name[16];

	new_image(SHT_SYMTAB);
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		(void)snprintf(name, sizeof(name), "function%u", i);
		function(name, TEXT + FUNCTION_BYTES * i, FUNCTION_BYTES - 1);
	}
	save(&image, sizeof(image));
	m = module_of_image();
	module = 1;
	while (module < MODULES_MAX && modules_get(session, module) != m)
		module++;
}

static struct symbol wanted_at(uint64_t offset)
{
	return (struct symbol){ .key = (uint64_t)module << 48 |
				       (BIAS + TEXT + offset) };
}

static bool has_name(const struct symbol *w, unsigned function, uint64_t offset)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "function%u", function);
	return w->name && strcmp(w->name, name) == 0 &&
	       w->name_len == strlen(name) && w->offset == offset;
}

/* Each function's first, middle and last byte and the gap behind it. */
static unsigned ask(struct known_names *names, unsigned first, unsigned step,
	bool *ret_read)
{
	static const uint64_t at[] = { 0, 7, FUNCTION_BYTES - 2,
		FUNCTION_BYTES - 1 };
	struct symbol wanted[4 * FUNCTIONS];
	unsigned n = 0, right = 0;

	for (unsigned i = first; i < FUNCTIONS; i += step) {
		for (unsigned k = 0; k < PP_ARRAY_LEN(at); k++)
			wanted[n++] = wanted_at(i * FUNCTION_BYTES + at[k]);
	}
	*ret_read = known_names_find(names, module, wanted, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned function = first + i / 4 * step;

		right += i % 4 == 3 ? !wanted[i].name
				    : has_name(&wanted[i], function, at[i % 4]);
	}
	return right;
}

TEST(later_profiles_get_what_they_would_have_found)
{
	struct known_names names;
	bool read;

	image_of_functions();
	known_names_init(&names, session, true);
	CHECK_EQ(ask(&names, 0, 3, &read), 4 * FUNCTIONS / 3);
	CHECK(read);
	CHECK_EQ(ask(&names, 0, 1, &read), 4 * FUNCTIONS);
	CHECK(read);
	CHECK_EQ(ask(&names, 1, 2, &read), 4 * FUNCTIONS / 2);
	CHECK(read);
	known_names_free(&names);
}

TEST(what_is_known_is_not_read_again)
{
	struct known_names names;
	bool read;

	image_of_functions();
	known_names_init(&names, session, true);
	CHECK_EQ(ask(&names, 0, 2, &read), 4 * FUNCTIONS / 2);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(ask(&names, 0, 2, &read), 4 * FUNCTIONS / 2);
	CHECK(read);
	/* Of the others only those count that lie in no function. */
	CHECK_EQ(ask(&names, 1, 2, &read), FUNCTIONS / 2);
	known_names_free(&names);
}

TEST(changed_file_stays_known_as_such)
{
	struct known_names names;
	bool read;

	image_of_functions();
	known_names_init(&names, session, true);
	image.note.id[7]++;
	save(&image, sizeof(image));
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(ask(&names, 0, 1, &read), FUNCTIONS);
		CHECK(!read);
	}
	image.note.id[7]--;
	known_names_free(&names);
}

TEST(many_names_make_room_for_themselves)
{
	static struct symbol wanted[TEXT_SIZE];
	struct known_names names;
	unsigned found;

	image_of_functions();
	known_names_init(&names, session, true);
	for (unsigned step = 16; step; step /= 4) {
		unsigned n = 0;

		found = 0;
		for (unsigned at = 0; at < TEXT_SIZE; at += step)
			wanted[n++] = wanted_at(at);
		CHECK(known_names_find(&names, module, wanted, n));
		for (unsigned i = 0; i < n; i++)
			found += wanted[i].name != NULL;
	}
	CHECK_EQ(found, FUNCTIONS * (FUNCTION_BYTES - 1));
	known_names_free(&names);
}

TEST(without_memory_fewer_names_are_found)
{
	struct known_names names;
	bool read;

	image_of_functions();
	for (uint32_t n = 1; n <= 8; n++) {
		known_names_init(&names, session, true);
		names.arena.fail_after = n;
		CHECK(ask(&names, 0, 1, &read) >= FUNCTIONS);
		names.arena.fail_after = 0;
		known_names_free(&names);
	}
}

int main(void)
{
	if (!begin_symbols())
		return 1;
	RUN(later_profiles_get_what_they_would_have_found);
	RUN(what_is_known_is_not_read_again);
	RUN(changed_file_stays_known_as_such);
	RUN(many_names_make_room_for_themselves);
	RUN(without_memory_fewer_names_are_found);
	end_symbols();
	return test_done();
}
