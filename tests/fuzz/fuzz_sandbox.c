/*
 * fuzz_sandbox.c - hostile seccomp filters through our interpreter
 * (core/control/sandbox.c). The input is the filter.
 */
#include "pp.h"

#include <linux/filter.h>
#include <string.h>

#include "sandbox.h"

#include "fuzz.h"

#define CODE_AT UINT64_C(0x240000000000)
#define MOST 8192u /* instructions: more than a filter may have */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = PP_MIN(size / sizeof(struct sock_filter), MOST);
	struct sock_fprog program = { .len = (unsigned short)n };

	/* At the end of a page: a read too far is a fault. */
	program.filter = (struct sock_filter *)(void *)fuzz_image(CODE_AT,
		MOST * sizeof(struct sock_filter), data,
		n * sizeof(struct sock_filter));
	MUST(sandbox_hurts(&program) == sandbox_hurts(&program));
	program.len++; /* one that is not there */
	(void)sandbox_hurts(&program);
	return 0;
}
