/*
 * object.h - an ELF file that is open for reading, and who it is.
 *
 * Owner: object_close(). Context: PP_NORMAL.
 */
#ifndef OBJECT_H
#define OBJECT_H

#include <libelf.h>
#include <limits.h>

#include "pp.h"

#define BUILD_ID_MAX 64u /* bytes */

struct build_id {
	uint8_t bytes[BUILD_ID_MAX];
	size_t len; /* 0 = none */
};

struct object {
	int fd;
	Elf *elf; /* NULL: not open */
	int64_t modified_ns;
	struct build_id id;
	char path[PATH_MAX];
};

/* A regular ELF file. 0, -ENOEXEC for something else, or -errno. */
int object_open(const char *path, struct object *ret);
void object_close(struct object *o);

/* A section that has bytes in this file. */
bool object_has_section(const struct object *o, const char *name);

bool build_id_equal(const struct build_id *a, const struct build_id *b);
/* Of the hexadecimal text in a profile; none if it is no such text. */
struct build_id build_id_parse(const uint8_t *hex, size_t len);
/* "/ab/cdef.debug" */
void build_id_path(const struct build_id *id, char ret[2 * BUILD_ID_MAX + 16]);

#endif
