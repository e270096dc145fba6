/*
 * own_table.h - a descriptor table of our own for the running thread.
 */
#ifndef OWN_TABLE_H
#define OWN_TABLE_H

#include "pp.h"

/* From now on this thread (which shares its process's table, or has one) has
 * a table with only those descriptors that are below `first`. 0 or -errno: a
 * policy may forbid it, and the table stays what it is. Context: PP_ANY. */
int own_table_take(int first) PP_ANY;

#endif
