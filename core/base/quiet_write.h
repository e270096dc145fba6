/*
 * quiet_write.h - writing without signals to the host.
 *
 * A write into a pipe nobody reads raises SIGPIPE, one beyond RLIMIT_FSIZE
 * raises SIGXFSZ, and both end a program that never wrote anything there
 * itself. Context: PP_ANY.
 */
#ifndef QUIET_WRITE_H
#define QUIET_WRITE_H

#include "pp.h"

/* write(2) or -errno; the signal a failing one raises is taken back. */
long quiet_write(int fd, const void *data, size_t len) PP_ANY;

/* The size up to which RLIMIT_FSIZE lets a file grow. Where a seccomp policy
 * forbids to take signals back, staying below it still raises none. */
uint64_t quiet_write_room(void) PP_ANY;

#endif
