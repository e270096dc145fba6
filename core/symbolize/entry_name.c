/*
 * entry_name.c - see entry_name.h.
 */
#include "pp.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry_name.h"

#define QUALIFIED_MAX 1024

static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	if (!dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) &&
		!dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
		return NULL;
	return dwarf_formstring(&attr);
}

/* The declaration that the name stands at: its parents qualify it. */
static Dwarf_Die declaration(Dwarf_Die *die)
{
	Dwarf_Die at = *die, next;
	Dwarf_Attribute attr;

	for (int i = 0; i < 8; i++) { /* a cycle is possible in bad files */
		if (!dwarf_attr(&at, DW_AT_abstract_origin, &attr) &&
			!dwarf_attr(&at, DW_AT_specification, &attr))
			break;
		if (!dwarf_formref_die(&attr, &next))
			break;
		at = next;
	}
	return at;
}

static bool qualifies(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module ||
	       tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_union_type;
}

static const char *scope_name(Dwarf_Die *scope)
{
	const char *name = dwarf_diename(scope);

	return name ? name : "(anonymous namespace)";
}

/* namespace::class::name */
static const char *qualified(Dwarf_Die *die, const char *name)
{
	static char text[QUALIFIED_MAX];
	Dwarf_Die at = declaration(die), *scopes = NULL;
	int n = dwarf_getscopes_die(&at, &scopes);
	size_t len = 0;

	for (int i = n - 1; i > 0; i--) {
		const char *scope;

		if (!qualifies(dwarf_tag(&scopes[i])))
			continue;
		scope = scope_name(&scopes[i]);
		if (len + strlen(scope) + strlen(name) + 3 > sizeof(text))
			break;
		len += (size_t)sprintf(text + len, "%s::", scope);
	}
	free(scopes);
	if (!len || len + strlen(name) + 1 > sizeof(text))
		return name;
	memcpy(text + len, name, strlen(name) + 1);
	return text;
}

static bool same_file(const char *a, const char *b)
{
	return a && b && (a == b || strcmp(a, b) == 0);
}

bool entry_name(
	Dwarf_Die *function, const char *file, struct function_name *ret)
{
	const char *name = dwarf_diename(function);
	int line;

	*ret = (struct function_name){ .file = file };
	ret->system_name = linkage_name(function);
	ret->name = name ? qualified(function, name) : NULL;
	if (same_file(dwarf_decl_file(function), file) &&
		dwarf_decl_line(function, &line) == 0)
		ret->start_line = line;
	return ret->name || ret->system_name;
}
