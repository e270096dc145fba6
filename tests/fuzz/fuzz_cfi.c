/*
 * fuzz_cfi.c - hostile .eh_frame_hdr and .eh_frame through the compiler of
 * unwind rules (core/capture/cfi*.c).
 *
 * The input is an object's memory, after two bytes that say where its
 * .eh_frame_hdr is.
 */
#include "pp.h"

#include <string.h>

#include "cfi.h"
#include "cfi_priv.h"
#include "rules.h"

#include "fuzz.h"

#define IMAGE_AT UINT64_C(0x200000000000)
#define IMAGE_MOST 65536u
#define FUNCTIONS 32u

static void check_rule(rule_t rule)
{
	MUST(rule_kind(rule) > RULE_NONE && rule_kind(rule) <= RULE_FAILED);
	MUST(rule_module(rule) == 0); /* its bits are free for the caller */
	MUST(rule_reg(rule) < 16);
}

static void look_at(const struct cfi_source *source, uint64_t pc)
{
	static const uint8_t steps[] = { 0, 1, 2, 4, 5, 7, 16, 64 };

	for (unsigned i = 0; i < PP_ARRAY_LEN(steps); i++) {
		uint64_t start = cfi_function_start(source, pc + steps[i]);

		check_rule(cfi_rule(source, pc + steps[i]));
		MUST(!start || start <= pc + steps[i]);
	}
}

/* Where the search table says that functions start. */
static void look_at_table(const struct cfi_source *source)
{
	uint64_t n = 0, table = cfi_search_table(source, &n);
	uint64_t step = PP_MAX(n / FUNCTIONS, 1u);

	for (uint64_t i = 0; table && i < n; i += step) {
		int32_t start;

		memcpy(&start, (const char *)table + 8 * i, sizeof(start));
		look_at(source,
			source->eh_frame_hdr + (uint64_t)(int64_t)start);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfi_source source;
	uint64_t first;
	uint16_t at;

	if (size < sizeof(at) + 1 || size > IMAGE_MOST)
		return 0;
	memcpy(&at, data, sizeof(at));
	data += sizeof(at);
	size -= sizeof(at);
	first = (uint64_t)(uintptr_t)fuzz_image(
		IMAGE_AT, IMAGE_MOST, data, size);
	source = (struct cfi_source){
		.lo = first, .hi = first + size, .eh_frame_hdr = first + at
	};
	look_at_table(&source);
	look_at(&source, first);
	look_at(&source, UINT64_MAX - 16);
	return 0;
}
