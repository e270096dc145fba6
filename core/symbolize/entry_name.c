/*
 * entry_name.c - see entry_name.h.
 */
#include "pp.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"
#include "entry_name.h"
#include "list.h"

#define QUALIFIED_MAX 1024
#define NESTING 64u
#define REFERENCES 16 /* from entry to entry; bad files have circles */

void entry_names_init(struct entry_names *n)
{
	*n = (struct entry_names){ 0 };
	arena_init(&n->texts);
}

void entry_names_free(struct entry_names *n)
{
	ids_free(&n->known);
	free(n->list);
	arena_free(&n->texts);
}

/* Inlined functions and copies refer to the function, which may refer to its
 * declaration in a class. */
static bool follow(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute attr;
	Dwarf_Die next;

	if (!dwarf_attr(die, attribute, &attr) ||
		!dwarf_formref_die(&attr, &next))
		return false;
	*die = next;
	return true;
}

/* A function that has code of its own has the linker's name for it, too. */
static Dwarf_Die origin(Dwarf_Die die)
{
	if (dwarf_tag(&die) == DW_TAG_inlined_subroutine)
		(void)follow(&die, DW_AT_abstract_origin);
	return die;
}

static Dwarf_Die declaration(const Dwarf_Die *die)
{
	Dwarf_Die at = *die;

	for (int i = 0; i < REFERENCES; i++) {
		if (!follow(&at, DW_AT_specification) &&
			!follow(&at, DW_AT_abstract_origin))
			break;
	}
	return at;
}

static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	if (!dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) &&
		!dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
		return NULL;
	return dwarf_formstring(&attr);
}

static bool qualifies(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module ||
	       tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_union_type;
}

/* The entries around one, outermost first; their number. */
static unsigned find_parents(const struct entries *e, const uint8_t *wanted,
	struct entry ret[NESTING])
{
	struct entry at;
	const uint8_t *next;
	unsigned n = 0;

	if (!entries_read(e, e->start, &at) || !at.abbrev)
		return 0;
	for (next = at.behind; next && entries_read(e, next, &at);) {
		if (!at.abbrev || at.at == wanted || at.at > wanted)
			return at.at == wanted ? n : 0;
		next = entries_behind(e, &at);
		if (!next || next <= wanted)
			continue;
		if (n == NESTING)
			return 0;
		ret[n++] = at;
		next = at.behind;
	}
	return 0;
}

static size_t append(char *text, size_t len, const char *name)
{
	int n = snprintf(text + len, QUALIFIED_MAX - len, "%s::", name);

	return n > 0 && (size_t)n < QUALIFIED_MAX - len ? len + (size_t)n : len;
}

static size_t append_parents(const Dwarf_Die *die, char *text)
{
	struct entry parents[NESTING];
	struct entries e;
	size_t len = 0;
	unsigned n;
	Dwarf_Die unit;

	if (!dwarf_cu_die(die->cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL) ||
		!entries_open(&e, &unit))
		return 0;
	n = find_parents(&e, die->addr, parents);
	for (unsigned i = 0; i < n; i++) {
		Dwarf_Die parent = entries_die(&e, parents[i].at);
		const char *name = dwarf_diename(&parent);

		if (qualifies(parents[i].abbrev->tag))
			len = append(text, len,
				name ? name : "(anonymous namespace)");
	}
	entries_close(&e);
	return len;
}

/* namespace::class::name, where there is no linker's name that says so. */
static const char *qualified(
	struct entry_names *n, const Dwarf_Die *die, const char *name)
{
	Dwarf_Die at = declaration(die);
	char text[QUALIFIED_MAX], *copy;
	size_t len = append_parents(&at, text);
	size_t room = len + strlen(name) + 1;

	copy = len ? arena_alloc(&n->texts, room) : NULL;
	if (!copy)
		return name;
	(void)snprintf(copy, room, "%.*s%s", (int)len, text, name);
	return copy;
}

static bool has_namespaces(Dwarf_Die *die)
{
	Dwarf_Die unit;

	if (!dwarf_cu_die(die->cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL))
		return false;
	switch (dwarf_srclang(&unit)) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_Mips_Assembler:
	case DW_LANG_Go: /* names are whole there */
		return false;
	default:
		return true;
	}
}

static bool is_mangled(const char *linkage)
{
	return linkage && linkage[0] == '_' &&
	       (linkage[1] == 'Z' || linkage[1] == 'R');
}

static struct entry_name read_name(struct entry_names *n, Dwarf_Die *die)
{
	struct entry_name e = { .linkage = linkage_name(die),
		.name = dwarf_diename(die),
		.file = dwarf_decl_file(die) };

	(void)dwarf_decl_line(die, &e.line);
	if (e.name && !is_mangled(e.linkage) && has_namespaces(die))
		e.name = qualified(n, die, e.name);
	return e;
}

const struct entry_name *entry_names_get(
	struct entry_names *n, const Dwarf_Die *function)
{
	Dwarf_Die die = origin(*function);
	uint64_t key = (uint64_t)(uintptr_t)die.addr;
	uint32_t found = ids_get(&n->known, key);

	if (found != IDS_NONE)
		return &n->list[found];
	if (!LIST_ADD(n->list, n->count, n->room))
		return NULL;
	n->list[n->count - 1] = read_name(n, &die);
	if (!ids_add(&n->known, key, (uint32_t)(n->count - 1)))
		return NULL;
	return &n->list[n->count - 1];
}
