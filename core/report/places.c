/*
 * places.c - see places.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "frame.h"
#include "places.h"

static uint64_t key_of(const struct label *label)
{
	frame_t f = (frame_t)label->num;

	return frame_make(frame_pc(f), false, frame_module(f));
}

/* The places of one set; with `to` NULL only their number. */
static unsigned add_places(
	const struct snapshot *snap, uint32_t row, struct symbol *to)
{
	const struct snapshot_row *r = &snap->rows[row];
	unsigned n, places = 0;
	const struct label *list = snapshot_labels_of(
		snap, r->key, r->more, &n);

	for (unsigned i = 0; i < n; i++) {
		if (list[i].kind != LABEL_PLACE)
			continue;
		if (to)
			to[places] = (struct symbol){ .key = key_of(&list[i]) };
		places++;
	}
	return places;
}

static uint32_t unique(struct symbol *list, uint32_t n)
{
	uint32_t kept = 0;

	symbols_sort(list, n);
	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || list[kept - 1].key != list[i].key)
			list[kept++] = list[i];
	}
	return kept;
}

/* Variables outside of any object have no names. */
static void find_names(struct places *p, struct symbols *y)
{
	uint32_t from = 0, to;

	for (; from < p->count; from = to) {
		unsigned group = frame_module(p->list[from].key);
		const struct module *m = modules_get(p->session, group);

		for (to = from + 1; to < p->count; to++) {
			if (frame_module(p->list[to].key) != group)
				break;
		}
		if (m && m->kind == MODULE_FILE)
			(void)symbols_find(y, m, p->list + from, to - from);
	}
}

static uint32_t make_string(struct strings *t, const struct symbol *at)
{
	unsigned long long address = symbol_address(at) & FRAME_PC_MASK;
	char name[256] = "";

	for (uint32_t i = 0; i < at->name_len && i + 1 < sizeof(name); i++)
		name[i] = at->name[i];
	if (!name[0])
		return strings_add_format(t, "0x%llx", address);
	if (!at->offset)
		return strings_add_format(t, "%s (0x%llx)", name, address);
	return strings_add_format(t, "%s+0x%llx (0x%llx)", name,
		(unsigned long long)at->offset, address);
}

int places_init(struct places *p, const struct snapshot *snap,
	struct arena *arena, struct strings *strings, bool own_process)
{
	struct symbols y;
	uint32_t n = 0;

	*p = (struct places){ .session = snap->session, .strings = strings };
	for (uint32_t i = 0; i < snap->count; i++)
		n += add_places(snap, i, NULL);
	if (n == 0)
		return 0;
	p->list = arena_alloc(arena, n * sizeof(*p->list));
	if (!p->list || symbols_init(&y, p->session, arena, own_process) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < snap->count; i++)
		p->count += add_places(snap, i, p->list + p->count);
	p->count = unique(p->list, p->count);
	y.variables = true;
	find_names(p, &y);
	for (uint32_t i = 0; i < p->count; i++)
		p->list[i].user = make_string(strings, &p->list[i]);
	return strings->failed ? -ENOMEM : 0;
}

static uint32_t place_string(const struct places *p, uint64_t key)
{
	uint32_t i = symbols_first_from(p->list, p->count, key);

	return i < p->count && p->list[i].key == key ? p->list[i].user : 0;
}

static uint32_t text(const struct places *p, uint32_t id)
{
	const char *s = labels_text_get(p->session, id);

	return s ? strings_add_z(p->strings, s) : 0;
}

struct encode_label places_label(
	const struct places *p, const struct label *label)
{
	struct encode_label to = { .key = text(p, label->key) };

	switch (label->kind) {
	case LABEL_PLACE:
		to.str = place_string(p, key_of(label));
		break;
	case LABEL_NUMBER:
		to.num = label->num;
		break;
	default:
		to.str = text(p, label->str);
	}
	return to;
}
