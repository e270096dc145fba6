/*
 * functions.c - see functions.h.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"

static uint64_t hash_bytes(const uint8_t *s, size_t len)
{
	uint64_t h = ids_hash(len);

	for (size_t i = 0; i < len; i += sizeof(h)) {
		uint64_t word = 0;

		memcpy(&word, s + i, PP_MIN(sizeof(word), len - i));
		h = pp_mix(h ^ word);
	}
	return h;
}

static uint64_t hash_function(const struct pprof_function *f)
{
	uint64_t h = ids_hash((uint64_t)f->name << 32 | f->system_name);

	return pp_mix(pp_mix(h ^ f->filename) ^ (uint64_t)f->start_line);
}

/* Which of the profile's it is; *ret_key is where it belongs. */
static uint32_t find_string(
	const struct functions *f, struct slice text, uint64_t *ret_key)
{
	size_t cursor = 0;
	uint32_t i;

	*ret_key = hash_bytes(text.data, text.len);
	while ((i = ids_find(&f->strings, *ret_key, &cursor)) != IDS_NONE) {
		const struct slice *s = &f->p->strings[i];

		if (s->len == text.len &&
			memcmp(s->data, text.data, text.len) == 0)
			break;
	}
	return i;
}

static bool is_equal(
	const struct pprof_function *a, const struct pprof_function *b)
{
	return a->name == b->name && a->system_name == b->system_name &&
	       a->filename == b->filename && a->start_line == b->start_line;
}

static uint32_t find_function(const struct functions *f,
	const struct pprof_function *want, uint64_t *ret_key)
{
	size_t cursor = 0;
	uint32_t i;

	*ret_key = hash_function(want);
	while ((i = ids_find(&f->functions, *ret_key, &cursor)) != IDS_NONE) {
		if (is_equal(&f->p->functions[i], want))
			break;
	}
	return i;
}

int functions_init(struct functions *f, struct pprof *p, enum names_style style)
{
	uint64_t key;

	*f = (struct functions){ .p = p, .style = style };
	arena_init(&f->arena);
	f->arena.inherited = true; /* by workers (isolate.h) */
	/* Of equal ones the first: a profile may have any number of them. */
	for (size_t i = 0; i < p->string_count; i++) {
		if (find_string(f, p->strings[i], &key) == IDS_NONE &&
			!ids_add(&f->strings, key, (uint32_t)i))
			return -ENOMEM;
	}
	for (size_t i = 0; i < p->function_count; i++) {
		if (find_function(f, &p->functions[i], &key) == IDS_NONE &&
			!ids_add(&f->functions, key, (uint32_t)i))
			return -ENOMEM;
	}
	return 0;
}

void functions_free(struct functions *f)
{
	ids_free(&f->strings);
	ids_free(&f->functions);
	ids_free(&f->readable);
	arena_free(&f->arena);
}

uint32_t functions_string(struct functions *f, const char *text, size_t len)
{
	const struct slice want = { (const uint8_t *)text, len };
	uint64_t key;
	uint32_t i;
	uint8_t *copy;

	if (!len)
		return 0;
	i = find_string(f, want, &key);
	if (i != IDS_NONE)
		return i;
	copy = arena_alloc(&f->arena, len);
	if (!copy)
		return 0;
	memcpy(copy, text, len);
	i = pprof_add_string(f->p, (struct slice){ copy, len });
	return i && ids_add(&f->strings, key, i) ? i : 0;
}

int functions_comment(struct functions *f, const char *text, size_t len)
{
	size_t before = f->p->string_count;
	uint32_t i = functions_string(f, text, len);

	if (!i)
		return -ENOMEM;
	return i < before || pprof_add_comment(f->p, i) ? 0 : -ENOMEM;
}

static uint32_t string_z(struct functions *f, const char *text)
{
	return text ? functions_string(f, text, strlen(text)) : 0;
}

/* A name to read for a string of the profile; itself if it is one. */
static uint32_t readable(struct functions *f, uint32_t system_name)
{
	const struct slice *s = &f->p->strings[system_name];
	uint32_t found = ids_get(&f->readable, system_name);
	char *mangled, *text;

	if (found != IDS_NONE)
		return found;
	mangled = strndup((const char *)s->data, s->len);
	text = mangled ? names_readable(mangled, f->style) : NULL;
	found = text ? string_z(f, text) : 0;
	free(text);
	free(mangled);
	if (!found)
		found = system_name;
	(void)ids_add(&f->readable, system_name, found); /* only speed */
	return found;
}

long functions_intern(struct functions *f, const struct pprof_function *want)
{
	uint64_t key;
	uint32_t i = find_function(f, want, &key);
	long made;

	if (i != IDS_NONE)
		return i;
	made = pprof_add_function(f->p, want);
	if (made >= 0 && !ids_add(&f->functions, key, (uint32_t)made))
		return -ENOMEM;
	return made;
}

long functions_add(struct functions *f, const struct function_name *name)
{
	struct pprof_function want = { .changed = true,
		.system_name = string_z(f, name->system_name),
		.filename = string_z(f, name->file),
		.start_line = name->start_line };

	if (!want.system_name)
		want.system_name = string_z(f, name->name);
	want.name = name->shown ? string_z(f, name->shown)
				: readable(f, want.system_name);
	if (!name->shown && want.name == want.system_name && name->name &&
		f->style != NAMES_NONE)
		want.name = string_z(f, name->name);
	return want.name ? functions_intern(f, &want) : -ENOMEM;
}

static uint32_t copy_string(
	struct functions *f, const struct pprof *from, uint32_t string)
{
	const struct slice *s = &from->strings[string];

	return functions_string(f, (const char *)s->data, s->len);
}

long functions_copy(
	struct functions *f, const struct pprof *from, uint32_t function)
{
	const struct pprof_function *fn = &from->functions[function];
	struct pprof_function want = { .changed = true,
		.name = copy_string(f, from, fn->name),
		.system_name = copy_string(f, from, fn->system_name),
		.filename = copy_string(f, from, fn->filename),
		.start_line = fn->start_line };

	/* Half of a function is none: there was no memory. */
	if (!want.name != !from->strings[fn->name].len ||
		!want.system_name != !from->strings[fn->system_name].len ||
		!want.filename != !from->strings[fn->filename].len)
		return -ENOMEM;
	return functions_intern(f, &want);
}

void functions_make_readable(struct functions *f)
{
	if (f->style == NAMES_NONE)
		return;
	for (size_t i = 0; i < f->p->function_read; i++) {
		struct pprof_function *fn = &f->p->functions[i];
		uint32_t name = fn->name;

		if (fn->name == fn->system_name)
			name = readable(f, fn->system_name);
		fn->changed |= name != fn->name;
		fn->name = name;
	}
}
