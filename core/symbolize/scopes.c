/*
 * scopes.c - which functions' code an address is in: see lookup.h.
 */
#include "pp.h"

#include <dwarf.h>

#include "lookup.h"

#define NESTING 256u /* of entries; a damaged file may have any */

/* Entries in which functions may stand. */
static bool may_contain(int tag)
{
	switch (tag) {
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_interface_type:
	case DW_TAG_common_block:
		return true;
	default:
		return false;
	}
}

static bool is_function(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* Depth first. A function that does not contain the address may contain one
 * that does (nested functions), an inlined one may not. */
static size_t descend(Dwarf_Die *die, uint64_t address, unsigned nesting,
	Dwarf_Die *chain, size_t n)
{
	Dwarf_Die child;

	if (nesting == NESTING || n == LOOKUP_DEPTH ||
		dwarf_child(die, &child) != 0)
		return 0;
	do {
		int tag = dwarf_tag(&child);
		int has = is_function(tag) ? dwarf_haspc(&child, address) : 0;
		size_t deeper;

		if (!may_contain(tag))
			continue;
		if (has > 0) {
			chain[n] = child;
			deeper = descend(
				&child, address, nesting + 1, chain, n + 1);
			return PP_MAX(deeper, n + 1);
		}
		if (tag == DW_TAG_inlined_subroutine)
			continue;
		deeper = descend(&child, address, nesting + 1, chain, n);
		if (deeper)
			return deeper;
	} while (dwarf_siblingof(&child, &child) == 0);
	return 0;
}

size_t scopes_find(const Dwarf_Die *root, uint64_t address,
	Dwarf_Die ret_chain[LOOKUP_DEPTH])
{
	Dwarf_Die die = *root;

	return descend(&die, address, 0, ret_chain, 0);
}
