/*
 * cfi_priv.h - what cfi_find.c hands to cfi.c, one function's unwind program,
 * and cfi.c to cfi_express.c, one row of its result. Context: PP_ANY.
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

/* The columns a rule needs; all others do not change how a walk goes on. */
enum column { COL_RBP, COL_RBX, COL_RSP, COL_RA, COL_COUNT, COL_OTHER };

enum how {
	HOW_SAME,     /* also: nothing was said */
	HOW_OFFSET,   /* at CFA + value */
	HOW_VALUE,    /* is CFA + value */
	HOW_REGISTER, /* in register `value` */
	HOW_EXPR,     /* at the address the expression gives */
	HOW_UNDEFINED,
	HOW_OTHER, /* nothing a rule could say */
};

/* `value` is a number, or the address of an expression (its length first). */
struct where {
	int64_t value;
	uint8_t how;
	uint8_t reg; /* of the CFA: HOW_OFFSET means reg + value */
};

struct cfi_row {
	struct where cfa;
	struct where col[COL_COUNT];
};

/* The rule for such a row, or RULE_FAILED. Expressions in it have been found to
 * lie inside the object. */
rule_t cfi_express(const struct cfi_row *row) PP_ANY;

#endif
