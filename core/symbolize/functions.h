/*
 * functions.h - the functions and strings that symbolizing adds to a profile,
 * each once.
 *
 * Owner: functions_free(), after the profile was written. Context: PP_NORMAL.
 */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include "pp.h"

#include "arena.h"
#include "ids.h"
#include "names.h"
#include "pprof.h"

struct functions {
	struct pprof *p;
	enum names_style style;
	struct arena arena; /* bytes of new strings */
	struct ids strings, functions, readable;
};

/* What names a function. Texts may be NULL. */
struct function_name {
	const char *system_name; /* the linker's */
	const char *name;	 /* the source's, where the other is not one
				    that can be made readable */
	const char *shown;	 /* what the profile shows already */
	const char *file;
	int64_t start_line;
};

/* 0 or -ENOMEM. */
int functions_init(
	struct functions *f, struct pprof *p, enum names_style style);
void functions_free(struct functions *f);

/* The index of the string in the profile; 0 for none, and without memory. */
uint32_t functions_string(struct functions *f, const char *text, size_t len);

/* A comment of the whole profile, unless it has one of this text. 0 or
 * -ENOMEM. */
int functions_comment(struct functions *f, const char *text, size_t len);

/* The function's index in the profile, or -errno. */
long functions_add(struct functions *f, const struct function_name *name);

/* One whose strings are the profile's: its index, or -errno. */
long functions_intern(struct functions *f, const struct pprof_function *want);

/* A function of another profile: its index in this one, or -errno. */
long functions_copy(
	struct functions *f, const struct pprof *from, uint32_t function);

/* Give the functions the profile came with names to read. */
void functions_make_readable(struct functions *f);

#endif
