/*
 * load.h - a profile's bytes: read from its file and decompressed.
 *
 * Owner: load_free(). Context: PP_NORMAL.
 */
#ifndef LOAD_H
#define LOAD_H

#include <sys/stat.h>

#include "pp.h"

/* No profile is larger, and what claims to be would fill the machine. */
#define LOAD_MAX (UINT64_C(2) << 30)

struct load {
	uint8_t *data;
	size_t len;
	bool was_gzip;
	struct stat file;
};

/* 0; -EFBIG over LOAD_MAX; -EPIPE for gzip data that ends too early, -EILSEQ
 * for damaged gzip data; -EINVAL for what is no regular file; -errno. */
int load_file(const char *path, struct load *ret);
/* The same for bytes in memory: decompressed if they are gzip. */
int load_bytes(const uint8_t *data, size_t len, struct load *ret);
void load_free(struct load *l);

/* A sentence for an error of load_file() or pprof_read(). */
const char *load_error(int err);

#endif
