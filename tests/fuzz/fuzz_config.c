/*
 * fuzz_config.c - values of environment variables through every parser of the
 * table (core/control/config_value.c), and their refusal.
 *
 * The first byte chooses the variable; the rest is its value.
 */
#include "pp.h"

#include <string.h>

#include "config.h"
#include "output.h"

#include "fuzz.h"

/* One line that a terminal survives. */
static void refused(const char *sentence, void *arg)
{
	(void)arg;
	MUST(*sentence);
	for (const char *s = sentence; *s; s++)
		MUST((unsigned char)*s >= ' ' && *s != 0x7f);
}

static bool ends(const char *s, size_t size)
{
	return memchr(s, 0, size) != NULL;
}

/* A template that was accepted can be expanded, or is too long. */
static void expand(const struct settings *set)
{
	struct output_name name = { .settings = set,
		.kind = PROFILE_HEAP,
		.pid = 12345,
		.number = 7,
		.start_s = 1700000000 };
	char path[SETTINGS_PATH_MAX];

	if (output_expand(&name, path, sizeof(path)) == 0)
		MUST(ends(path, sizeof(path)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings set = { .program = "prog", .host = "host" };
	const struct config_variable *v;
	struct config_why why = { "" };
	char *value;

	if (size == 0)
		return 0;
	v = &config_table[data[0] % config_count];
	value = malloc(size);
	MUST(value);
	memcpy(value, data + 1, size - 1);
	value[size - 1] = '\0';
	(void)config_check(v->name, value, refused, NULL);
	if (v->parse(v, value, &set, &why)) {
		MUST(ends(set.output, sizeof(set.output)));
		MUST(ends(set.session_dir, sizeof(set.session_dir)));
		MUST(ends(set.log_path, sizeof(set.log_path)));
		if (set.output[0])
			expand(&set);
	} else {
		MUST(ends(why.text, sizeof(why.text)));
	}
	free(value);
	return 0;
}
