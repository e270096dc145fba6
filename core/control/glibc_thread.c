/*
 * glibc_thread.c - see glibc_thread.h. Context: PP_ANY.
 *
 * glibc's control block lies at the thread pointer and has the thread's id in
 * it. Where, is not documented: it is looked for once.
 */
#include "pp.h"

#include "glibc_thread.h"
#include "safe_read.h"
#include "sys.h"

/* The part of the block that has a fixed layout, and how far to look. */
#define HEADER_BYTES 192u
#define SEARCH_BYTES 2048u

static uint32_t tid_offset; /* 0 = unknown */

void glibc_thread_start(void)
{
	const char *block = arch_thread_pointer();
	uint32_t tid = (uint32_t)sys_gettid(), word;

	for (uint32_t at = HEADER_BYTES; at < SEARCH_BYTES; at += 4) {
		__builtin_memcpy(&word, block + at, sizeof(word));
		if (word == tid) {
			tid_offset = at;
			return;
		}
	}
}

bool glibc_thread_here(void)
{
	struct safe_reader reader;
	uint64_t block, word;
	uint32_t halves[2];

	if (!tid_offset || !arch_ask_thread_pointer(&block) || block % 8)
		return false;
	safe_read_init(&reader);
	if (!safe_read_probed(&reader, block + (tid_offset & ~7u), &word))
		return false;
	__builtin_memcpy(halves, &word, sizeof(word));
	return halves[tid_offset / 4 % 2] == (uint32_t)sys_gettid();
}
