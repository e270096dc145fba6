/*
 * fuzz_profile.c - a hostile profile through the reader of pprofc symbolize,
 * its renaming of functions, and its writer (core/symbolize/load.c,
 * pprof_read.c, functions.c, pprof_write.c).
 */
#include "pp.h"

#include <string.h>

#include "functions.h"
#include "load.h"
#include "pprof.h"

#include "fuzz.h"

static int append(void *arg, const void *data, size_t len)
{
	wire_put_raw(arg, (struct slice){ data, len });
	return ((struct wire_out *)arg)->failed ? -1 : 0;
}

static struct wire_out written(const struct pprof *p)
{
	struct wire_out out = { .data = NULL };

	MUST(pprof_write(p, append, &out) == 0);
	return out;
}

static void check_indexes(const struct pprof *p)
{
	for (size_t i = 0; i < p->location_count; i++) {
		const struct pprof_location *l = &p->locations[i];

		MUST(l->mapping <= p->mapping_count);
		MUST(l->first_line + l->line_count <= p->line_count);
	}
	for (size_t i = 0; i < p->line_count; i++)
		MUST(p->lines[i].function < p->function_count);
	for (size_t i = 0; i < p->function_count; i++) {
		MUST(p->functions[i].name < p->string_count);
		MUST(p->functions[i].system_name < p->string_count);
		MUST(p->functions[i].filename < p->string_count);
	}
}

/* What was written is a profile again, and is not changed by a second turn. */
static void check_written(const struct wire_out *once)
{
	struct pprof *p = NULL;
	struct wire_out twice;

	MUST(pprof_read(once->data, once->len, &p) == 0);
	twice = written(p);
	MUST(twice.len == once->len);
	MUST(memcmp(twice.data, once->data, once->len) == 0);
	wire_out_free(&twice);
	pprof_free(p);
}

static void add_line(struct functions *f)
{
	struct function_name name = {
		.system_name = "_ZN1a1bEv", .file = "a.c", .start_line = 3
	};
	long fn = functions_add(f, &name);

	if (fn < 0 || !f->p->location_count)
		return;
	f->p->locations[0].first_line = (uint32_t)f->p->line_count;
	MUST(pprof_add_line(f->p, (uint32_t)fn, 7));
	f->p->locations[0].line_count = 1;
	f->p->locations[0].named = true;
}

static void go_through(struct pprof *p)
{
	struct functions f;
	struct wire_out out;

	check_indexes(p);
	MUST(functions_init(&f, p, NAMES_SIMPLE) == 0);
	functions_make_readable(&f);
	add_line(&f);
	check_indexes(p);
	out = written(p);
	check_written(&out);
	wire_out_free(&out);
	functions_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pprof *p = NULL;
	struct load l;

	if (load_bytes(data, size, &l) != 0)
		return 0;
	if (pprof_read(l.data, l.len, &p) == 0)
		go_through(p);
	pprof_free(p);
	load_free(&l);
	return 0;
}
