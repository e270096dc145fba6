/*
 * program.h - which file this process runs, and what the kernel's links say.
 *
 * Asking takes 10 us in a new process, so nobody asks before it matters. What
 * was found stays: a child made by fork knows it, even without /proc.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "pp.h"

/* Ask, unless known. One caller at a time: the constructor, then whoever makes
 * the session. */
void program_look(void) PP_ANY;

/* The file, absolute; "" if it could not be found out. */
const char *program_path(void) PP_ANY;

/* Its name without directories; what libc calls the program if unknown. */
const char *program_name(void) PP_ANY;

/* readlink() with termination and without the mark of deleted files. Returns
 * the length; 0 if it fails or does not fit. */
size_t program_read_link(const char *link, char *buf, size_t size) PP_ANY;

#endif
