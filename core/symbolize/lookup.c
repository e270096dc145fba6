/*
 * lookup.c - see lookup.h.
 *
 * .debug_aranges would say which unit an address is in, but compilers other
 * than gcc leave it out, so that a file linked of both has half of it. The
 * ranges in each unit's first entry are always there.
 */
#include "pp.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "ids.h"
#include "list.h"
#include "lookup.h"
#include "scopes.h"

#define ROWS_MAX 2000000u /* of line tables in memory; 50 bytes each */

struct unit {
	Dwarf_Die root; /* of a split unit the part with the functions */
	Dwarf_Lines *lines;
	size_t line_count;
	Dwarf_Files *files;
	size_t file_count;
	const char *directory; /* what relative names start from */
	struct ids full_names; /* by place of the relative one */
	const char **full;
	size_t full_count, full_room;
	struct arena texts;
	struct scopes scopes;
};

size_t lookup_first_at(
	const struct lookup_place *places, size_t n, uint64_t address)
{
	size_t from = 0;

	while (n > 0) {
		size_t half = n / 2;

		if (places[from + half].address < address) {
			from += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return from;
}

/* Functions the linker dropped leave ranges near 0 that may reach into real
 * code: the smaller range is right. */
static void claim(struct lookup_place *places, size_t n, Dwarf_Off unit,
	uint64_t start, uint64_t end)
{
	for (size_t i = lookup_first_at(places, n, start);
		i < n && places[i].address < end; i++) {
		if (places[i].has_unit && places[i].unit_size <= end - start)
			continue;
		places[i].has_unit = true;
		places[i].unit = unit;
		places[i].unit_size = end - start;
	}
}

static void find_units(Dwarf *dw, struct lookup_place *places, size_t n)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;

	while (dwarf_get_units(dw, cu, &cu, NULL, &type, &die, NULL) == 0) {
		Dwarf_Addr base, start, end;
		ptrdiff_t at = 0;

		if (type == DW_UT_type || type == DW_UT_split_type)
			continue;
		while ((at = dwarf_ranges(&die, at, &base, &start, &end)) > 0)
			claim(places, n, dwarf_dieoffset(&die), start, end);
	}
}

static int by_unit(const void *a, const void *b)
{
	const struct lookup_place *x = a, *y = b;

	if (x->has_unit != y->has_unit)
		return x->has_unit ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return (x->address > y->address) - (x->address < y->address);
}

/* *incomplete is set for a unit whose entries are in a file not found. */
static bool open_unit(
	Dwarf *dw, Dwarf_Off offset, struct unit *u, bool *incomplete)
{
	Dwarf_Attribute directory;
	Dwarf_Die die, split;
	uint8_t type;

	*u = (struct unit){ 0 };
	arena_init(&u->texts);
	if (!dwarf_offdie(dw, offset, &die))
		return false;
	u->root = die;
	if (dwarf_cu_info(
		    die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
		type == DW_UT_skeleton) {
		if (split.addr)
			u->root = split;
		else
			*incomplete = true;
	}
	u->directory = dwarf_formstring(
		dwarf_attr(&die, DW_AT_comp_dir, &directory));
	if (dwarf_getsrclines(&die, &u->lines, &u->line_count) != 0)
		u->line_count = 0;
	if (dwarf_getsrcfiles(&u->root, &u->files, &u->file_count) != 0)
		u->file_count = 0;
	return true;
}

static const char *make_full(struct unit *u, const char *name)
{
	size_t room = strlen(u->directory) + strlen(name) + 2;
	char *full = arena_alloc(&u->texts, room);

	if (!full || !LIST_ADD(u->full, u->full_count, u->full_room))
		return name;
	(void)snprintf(full, room, "%s/%s", u->directory, name);
	u->full[u->full_count - 1] = full;
	(void)ids_add(&u->full_names, (uint64_t)(uintptr_t)name,
		(uint32_t)(u->full_count - 1)); /* only speed */
	return full;
}

static void set_file(struct unit *u, struct lookup_frame *f, const char *name)
{
	uint32_t known;

	f->entry = f->file = name;
	if (!name || name[0] == '/' || !u->directory)
		return;
	known = ids_get(&u->full_names, (uint64_t)(uintptr_t)name);
	f->file = known != IDS_NONE ? u->full[known] : make_full(u, name);
}

/* The row of the line table an address belongs to. */
static Dwarf_Line *find_line(const struct unit *u, uint64_t address)
{
	size_t from = 0, n = u->line_count;
	Dwarf_Line *line = NULL;
	Dwarf_Addr at;
	bool end;

	/* The last row that does not start behind the address. */
	while (n > 0) {
		Dwarf_Line *l = dwarf_onesrcline(u->lines, from + n / 2);

		if (dwarf_lineaddr(l, &at) == 0 && at <= address) {
			line = l;
			from += n / 2 + 1;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	if (!line || dwarf_lineendsequence(line, &end) != 0 || end)
		return NULL;
	return line;
}

static int64_t number(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, name, &attr), &value) != 0 ||
		value > INT64_MAX)
		return 0;
	return (int64_t)value;
}

/* Where an inlined function was called. */
static void set_call(struct unit *u, Dwarf_Die *inlined, struct lookup_frame *f)
{
	Dwarf_Attribute attr;
	Dwarf_Word file;

	f->line = number(inlined, DW_AT_call_line);
	set_file(u, f, NULL);
	if (dwarf_formudata(
		    dwarf_attr(inlined, DW_AT_call_file, &attr), &file) == 0 &&
		file < u->file_count)
		set_file(u, f, dwarf_filesrc(u->files, file, NULL, NULL));
}

static size_t make_frames(struct unit *u, size_t place, uint64_t address,
	struct lookup_frame *frames)
{
	Dwarf_Die chain[LOOKUP_DEPTH];
	size_t n = scopes_chain(&u->scopes, place, chain);
	Dwarf_Line *line = find_line(u, address);
	int lineno = 0;

	frames[0] = (struct lookup_frame){ .line = 0 };
	if (line) {
		set_file(u, &frames[0], dwarf_linesrc(line, NULL, NULL));
		if (dwarf_lineno(line, &lineno) == 0)
			frames[0].line = lineno;
	}
	for (size_t i = 0; i < n; i++) {
		frames[i].function = chain[i];
		if (i + 1 < n)
			set_call(u, &chain[i], &frames[i + 1]);
	}
	return n || line ? PP_MAX(n, (size_t)1) : 0;
}

static void close_unit(struct unit *u)
{
	scopes_free(&u->scopes);
	ids_free(&u->full_names);
	free(u->full);
	arena_free(&u->texts);
}

/* Adds the rows of the unit's line table to *rows. */
static int visit_unit(Dwarf *dw, const struct lookup_place *places, size_t n,
	const struct lookup_visitor *v, size_t *rows)
{
	struct lookup_frame frames[LOOKUP_DEPTH];
	struct unit u;
	int err;

	if (!open_unit(dw, places[0].unit, &u, v->incomplete))
		return 0;
	*rows += u.line_count;
	err = scopes_find(&u.scopes, &u.root, places, n);
	for (size_t i = 0; i < n && !err; i++) {
		size_t count = make_frames(&u, i, places[i].address, frames);

		if (count)
			err = v->visit(v->arg, places[i].user, frames, count);
	}
	close_unit(&u);
	return err;
}

int lookup(Dwarf *dw, struct lookup_place *places, size_t n,
	const struct lookup_visitor *v)
{
	size_t from = 0, to, rows = 0;
	int err = 0;

	find_units(dw, places, n);
	qsort(places, n, sizeof(*places), by_unit);
	for (; from < n && places[from].has_unit && !err; from = to) {
		for (to = from + 1; to < n && places[to].has_unit; to++) {
			if (places[to].unit != places[from].unit)
				break;
		}
		if (rows > ROWS_MAX) {
			rows = 0;
			dw = v->renew(v->arg);
			if (!dw)
				return -ENOMEM;
		}
		err = visit_unit(dw, places + from, to - from, v, &rows);
	}
	return err;
}
