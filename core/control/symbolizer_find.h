/*
 * symbolizer_find.h - where the offline helper is, and whether to trust it.
 */
#ifndef SYMBOLIZER_FIND_H
#define SYMBOLIZER_FIND_H

#include "pp.h"

enum symbolizer_found {
	SYMBOLIZER_FOUND,
	SYMBOLIZER_NOWHERE,
	SYMBOLIZER_FOREIGN, /* it may be somebody else's trap */
};

/*
 * Beside the file this library was loaded from; in ../libexec/pprofc/ of its
 * directory; where it was to be installed. In a program that has changed its
 * root these names may mean anything, so the helper must belong to root or to
 * the user we act for, or lie where the library does that is loaded.
 *
 * The path is valid until the next call. One caller at a time. Context: PP_ANY.
 */
enum symbolizer_found symbolizer_find(const char **ret_path) PP_ANY;

#endif
