/*
 * entry_name.h - what a DWARF entry of a function calls it.
 *
 * Context: PP_NORMAL.
 */
#ifndef ENTRY_NAME_H
#define ENTRY_NAME_H

#include <elfutils/libdw.h>

#include "pp.h"

#include "functions.h"

/* `file` is where the line is that will be shown; a start line is given only if
 * the function starts there. Texts live as long as the Dwarf, or until the next
 * call. false if it has no name. */
bool entry_name(
	Dwarf_Die *function, const char *file, struct function_name *ret);

#endif
