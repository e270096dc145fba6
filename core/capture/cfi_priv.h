/*
 * cfi_priv.h - what cfi_find.c hands to cfi.c: one function's unwind program.
 * Context: PP_ANY.
 */
#ifndef CFI_PRIV_H
#define CFI_PRIV_H

#include "pp.h"

#include "cfi.h"
#include "cfi_read.h"

struct cfi_function {
	uint64_t start; /* first byte of the function */
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra_column;
	struct cursor cie_program, program;
	uint8_t pointer_enc;
	bool has_augmentation;
	bool is_signal; /* the frame a signal handler returns to */
};

enum { CFI_FOUND, CFI_NO_FUNCTION, CFI_DAMAGED };

/* The sorted search table behind .eh_frame_hdr, 8 bytes an entry: its address
 * and length, or 0 if there is none or it has an uncommon form. */
uint64_t cfi_search_table(
	const struct cfi_source *source, uint64_t *ret_count) PP_ANY;

int cfi_find(const struct cfi_source *source, uint64_t pc,
	struct cfi_function *f) PP_ANY;

#endif
