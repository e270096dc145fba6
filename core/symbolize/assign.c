/*
 * assign.c - see assign.h.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"

/* The name a location came with. Texts are copies. */
struct before {
	char *symbol; /* NULL: none */
	char *name;   /* NULL: the same */
};

void assign_open(struct assign *a, struct functions *f, const struct module *m)
{
	*a = (struct assign){ .f = f, .m = m };
	entry_names_init(&a->names);
}

void assign_close(struct assign *a)
{
	entry_names_free(&a->names);
	if (a->symbols_read)
		elf_names_free(&a->symbols);
}

void assign_forget(struct assign *a)
{
	entry_names_free(&a->names);
	entry_names_init(&a->names);
}

bool assign_has_line(const struct pprof *p, const struct pprof_location *l)
{
	for (uint32_t i = 0; i < l->line_count; i++) {
		if (p->lines[l->first_line + i].line)
			return true;
	}
	return false;
}

static const char *symbol_of(struct assign *a, uint64_t address)
{
	if (!a->symbols_read)
		elf_names_open(&a->symbols, a->m);
	a->symbols_read = true;
	return elf_names_find(&a->symbols, address);
}

static char *copy_of(const struct pprof *p, uint32_t string)
{
	const struct slice *s = &p->strings[string];

	return s->len ? strndup((const char *)s->data, s->len) : NULL;
}

static struct before name_before(
	const struct pprof *p, const struct pprof_location *l)
{
	const struct pprof_function *fn;
	struct before b = { 0 };

	if (!l->line_count)
		return b;
	fn = &p->functions[p->lines[l->first_line + l->line_count - 1]
				   .function];
	b.symbol = copy_of(p, fn->system_name ? fn->system_name : fn->name);
	if (fn->name && fn->system_name && fn->name != fn->system_name)
		b.name = copy_of(p, fn->name);
	return b;
}

static void before_free(struct before *b)
{
	free(b->symbol);
	free(b->name);
}

/* A part of a function that the compiler moved or copied: f.cold, f.part.0. */
static bool is_part(const char *symbol, const char *name)
{
	size_t len = strlen(name);

	return strncmp(symbol, name, len) == 0 && symbol[len] == '.';
}

/* A function keeps the symbol the profile has for it: of several that are the
 * same code (malloc, __libc_malloc) one was chosen with care. */
static void keep_symbol(struct function_name *name, const struct before *b)
{
	bool same = name->system_name &&
		    strcmp(name->system_name, b->symbol) == 0;

	if (name->name && !same && !is_part(b->symbol, name->name))
		name->name = NULL;
	name->system_name = b->symbol;
	if (b->name)
		name->shown = b->name;
}

static bool same_text(const char *a, const char *b)
{
	return a && b && (a == b || strcmp(a, b) == 0);
}

/* A profile has one file for a function and its lines: that of the line. So a
 * start line is given only if the function starts in that file. */
static long add_function(struct assign *a, const struct lookup_frame *frame,
	const struct before *b)
{
	struct function_name name = { .file = frame->file };
	const struct entry_name *e;

	if (frame->function.addr) {
		e = entry_names_get(&a->names, &frame->function);
		if (!e)
			return -ENOMEM;
		name.system_name = e->linkage;
		name.name = e->name;
		if (same_text(e->file, frame->entry))
			name.start_line = e->line;
	}
	if (b && b->symbol)
		keep_symbol(&name, b);
	if (!name.system_name && !name.name)
		name.name = "??"; /* an inlined one without a name */
	return functions_add(a->f, &name);
}

static int add_chain(struct assign *a, const struct lookup_frame *frames,
	size_t n, const struct before *b)
{
	for (size_t i = 0; i < n; i++) {
		long fn = add_function(a, &frames[i], i + 1 == n ? b : NULL);

		if (fn < 0)
			return (int)fn;
		if (!pprof_add_line(a->f->p, (uint32_t)fn, frames[i].line))
			return -ENOMEM;
	}
	return 0;
}

static void set_chain(struct pprof *p, struct pprof_location *l, size_t first)
{
	l->first_line = (uint32_t)first;
	l->line_count = (uint32_t)(p->line_count - first);
	l->named = true;
}

int assign_lines(struct assign *a, uint32_t location, uint64_t address,
	const struct lookup_frame *frames, size_t n)
{
	struct pprof *p = a->f->p;
	struct pprof_location *l = &p->locations[location];
	struct pprof_mapping *m = &p->mappings[l->mapping - 1];
	struct before b = name_before(p, l);
	size_t first = p->line_count;
	const char *symbol;
	int err = 0;

	/* Assembly has lines, but no functions. */
	if (!b.symbol && !frames[n - 1].function.addr) {
		symbol = symbol_of(a, address);
		b.symbol = symbol ? strdup(symbol) : NULL;
	}
	if (b.symbol || frames[n - 1].function.addr) {
		err = add_chain(a, frames, n, &b);
		if (!err)
			set_chain(p, l, first);
		m->changed = m->has_functions = m->has_filenames =
			m->has_lines = m->has_inlines = true;
	}
	before_free(&b);
	return err;
}

int assign_symbol(struct assign *a, uint32_t location, uint64_t address)
{
	struct pprof *p = a->f->p;
	struct pprof_location *l = &p->locations[location];
	struct pprof_mapping *m = &p->mappings[l->mapping - 1];
	struct function_name name = { 0 };
	long fn;

	if (l->line_count)
		return 0;
	name.system_name = symbol_of(a, address);
	if (!name.system_name)
		return 0;
	fn = functions_add(a->f, &name);
	if (fn < 0)
		return (int)fn;
	if (!pprof_add_line(p, (uint32_t)fn, 0))
		return -ENOMEM;
	set_chain(p, l, p->line_count - 1);
	m->changed = m->has_functions = true;
	return 0;
}
