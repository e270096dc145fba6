/*
 * frame_offsets.c - see frame_offsets.h.
 */
#include "pp.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "elf_file.h"
#include "frame_offsets.h"
#include "profile.pb-c.h"
#include "symbols.h"
#include "thread_list.h"

/* Addresses of the profile's locations, sorted, each once. */
struct addresses {
	struct symbol *list;
	uint32_t count;
};

static bool collect(struct addresses *a, const Pprof__Profile *p)
{
	uint32_t n = 0;

	*a = (struct addresses){ .list = calloc(
					 p->n_location + 1, sizeof(*a->list)) };
	if (!a->list)
		return false;
	for (size_t i = 0; i < p->n_location; i++)
		a->list[n++].key = p->location[i]->address;
	symbols_sort(a->list, n);
	for (uint32_t i = 0; i < n; i++) {
		if (!i || a->list[i].key != a->list[i - 1].key)
			a->list[a->count++].key = a->list[i].key;
	}
	return true;
}

static uint32_t first_from(const struct addresses *a, uint64_t address)
{
	return symbols_first_from(a->list, a->count, address);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void set_build_id(struct module *m, const char *hex)
{
	size_t n = strlen(hex) / 2;

	if (n > sizeof(m->build_id))
		return;
	for (size_t i = 0; i < n; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		m->build_id[i] = (uint8_t)(high << 4 | low);
	}
	m->build_id_len = (uint8_t)n;
}

/* By the segment of the file that the mapping is of. */
static bool set_bias(struct module *m, const char *path)
{
	struct elf e;
	Elf64_Phdr p;
	bool found = false;

	if (elf_open(&e, path) != 0)
		return false;
	for (uint32_t i = 0; !found && i < e.phnum; i++) {
		found = elf_segment(&e, i, &p) == 0 && p.p_type == PT_LOAD &&
			p.p_offset == m->file_offset;
		m->bias = m->start - p.p_vaddr;
	}
	elf_close(&e);
	return found;
}

static void look_up(struct symbols *y, const struct addresses *a,
	const Pprof__Profile *p, const Pprof__Mapping *mapping)
{
	const char *path = thread_list_text(p, mapping->filename);
	uint32_t first = first_from(a, mapping->memory_start);
	uint32_t n = first_from(a, mapping->memory_limit) - first;
	struct module m = { .start = mapping->memory_start,
		.limit = mapping->memory_limit,
		.file_offset = mapping->file_offset };

	if (mapping->memory_limit < mapping->memory_start || !n ||
		path[0] != '/' || !set_bias(&m, path))
		return;
	set_build_id(&m, thread_list_text(p, mapping->build_id));
	(void)symbols_find_in_file(y, path, &m, a->list + first, n);
}

static void set_offset(const struct addresses *a, struct thread_frame *f)
{
	uint32_t i = first_from(a, f->address);

	if (i == a->count || a->list[i].key != f->address || !a->list[i].name)
		return;
	f->offset = a->list[i].offset;
	f->has_offset = true;
}

static void set_offsets(const struct addresses *a, struct thread_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < l->list[i].frame_count; k++)
			set_offset(a, &l->list[i].frames[k]);
}

void frame_offsets_find(struct thread_list *l)
{
	struct addresses a;
	struct symbols y;
	struct arena arena;

	if (!collect(&a, l->profile))
		return;
	arena_init(&arena);
	if (symbols_init(&y, NULL, &arena, false) == 0) {
		for (size_t i = 0; i < l->profile->n_mapping; i++)
			look_up(&y, &a, l->profile, l->profile->mapping[i]);
		set_offsets(&a, l);
	}
	arena_free(&arena);
	free(a.list);
}
