/*
 * cfi.h - from .eh_frame to a rule: what the unwind information of one object
 * says about one program counter.
 *
 * Reads only inside [lo, hi) of struct cfi_source, whatever the tables say, so
 * that damaged ones end in RULE_FAILED. Uses about half a kilobyte of stack.
 * Context: PP_ANY.
 */
#ifndef CFI_H
#define CFI_H

#include "pp.h"

#include "rules.h"

/* The unwind information of a loaded object, at its run-time addresses. */
struct cfi_source {
	uint64_t lo, hi;       /* the object's mapping */
	uint64_t eh_frame_hdr; /* 0 = has none */
};

/*
 * The rule for the byte at pc, without module: RULE_NO_INFO if no function
 * covers it, RULE_FAILED if the tables are damaged or say something that no
 * rule expresses.
 */
rule_t cfi_rule(const struct cfi_source *source, uint64_t pc) PP_ANY;

/* The first byte of the function that covers pc; 0 if none does. */
uint64_t cfi_function_start(
	const struct cfi_source *source, uint64_t pc) PP_ANY;

#endif
