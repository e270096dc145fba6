/*
 * directory.h - the names in a directory, a few at a time.
 *
 * Small: it may lie on an alternate signal stack. Context: PP_ANY.
 */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "pp.h"

#include "own_fd.h"

struct directory {
	struct own_fd file;
	long at, len; /* of buf: the next entry, and the end */
	_Alignas(8) char buf[1024];
};

/* 0 or -errno. */
int directory_open(struct directory *d, const char *path) PP_ANY;
/* The next name, "." and ".." included, valid until the next call; NULL at the
 * end or when the descriptor is no longer ours. */
const char *directory_next(struct directory *d) PP_ANY;
void directory_close(struct directory *d) PP_ANY;

#endif
