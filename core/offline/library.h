/*
 * library.h - which libpprofc.so to preload, and how.
 */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <limits.h>

#include "pp.h"

/*
 * Find the library: $PPROFC_LIBRARY if set (and nothing else then); beside this
 * program (build tree); in the LIBDIR it was built for; in ../lib (an installed
 * tree that was moved). Returns false after saying so.
 */
bool library_find(char ret_path[PATH_MAX]);

/* Put it in front of LD_PRELOAD in our environment. false after saying why. */
bool library_preload(const char *path);

#endif
