/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is one file, fuzz_NAME.c, with LLVMFuzzerTestOneInput(): it hands
 * the bytes to one reader of pprofc and returns 0. Linked with clang's fuzzer
 * (make fuzz) or with replay.c, which runs the saved inputs of corpus/NAME
 * (make check). What must hold is said by MUST().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "pp.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                        \
	do {                                                           \
		if (!(x)) {                                            \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, \
				__LINE__, #x);                         \
			abort();                                       \
		}                                                      \
	} while (0)

/* A file with these bytes; its path, which means the same file each time. Ends
 * with the process. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* The descriptor behind it, to change the file further. */
int fuzz_fd(void);

/*
 * Memory at `at` (a multiple of the page size, the same in every run) whose
 * last bytes are the input: the page after it cannot be read, and with the
 * address sanitizer neither can what lies before. Returns the first byte.
 */
uint8_t *fuzz_image(uint64_t at, size_t most, const uint8_t *data, size_t size);

/* A cursor over the input: numbers are 0 when there is nothing left. */
struct fuzz_input {
	const uint8_t *p;
	size_t left;
};

void fuzz_take(struct fuzz_input *in, void *to, size_t n);
uint8_t fuzz_u8(struct fuzz_input *in);
uint16_t fuzz_u16(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);
uint64_t fuzz_u64(struct fuzz_input *in);

#endif
