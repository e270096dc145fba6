/*
 * safe_read.h - read words of a stack that may not be there.
 *
 * A load inside the known bounds costs a compare. Any other page is probed by
 * a system call that copies a word in and then refuses its arguments; only the
 * page probed last is remembered, and only for one walk: a stack that was
 * there in the last sample may be gone in this one. Context: PP_ANY.
 */
#ifndef SAFE_READ_H
#define SAFE_READ_H

#include "pp.h"

/* What the result of a walk depends on, for memo.h: words inside the bounds. */
struct safe_log {
	struct safe_word {
		uint64_t addr, value;
	} * words;
	uint32_t n, most;
	bool uses_rbp; /* and rbp at the start */
	bool broken;   /* and more than that, or there was no room */
};

struct safe_reader {
	uint64_t lo;	      /* first byte known to be readable */
	uint64_t span;	      /* that many bytes; 0 = nothing is known */
	uint64_t page;	      /* the page found readable last */
	unsigned probes;      /* made so far */
	struct safe_log *log; /* NULL = not kept */
};

/* No page has this address; 0 would declare page zero readable. */
#define SAFE_READ_NO_PAGE UINT64_C(1)

/* User addresses end here; above, a load faults or reads nothing of ours. */
#define SAFE_READ_LIMIT ((UINT64_C(1) << 47) - PP_PAGE)

static inline void safe_read_init(struct safe_reader *r)
{
	*r = (struct safe_reader){ .page = SAFE_READ_NO_PAGE };
}

/* The word at addr, which is aligned to 8 (so lies in one page). */
bool safe_read_probed(
	struct safe_reader *r, uint64_t addr, uint64_t *ret) PP_ANY;

static inline void safe_log_add(
	struct safe_log *log, uint64_t addr, uint64_t value)
{
	if (log->n == log->most)
		log->broken = true;
	else
		log->words[log->n++] = (struct safe_word){ addr, value };
}

static inline bool safe_read(
	struct safe_reader *r, uint64_t addr, uint64_t *ret)
{
	/* Bounds and addresses are multiples of 8, so a word that begins
	 * inside ends inside. */
	if (pp_likely(addr - r->lo < r->span)) {
		*ret = *(const volatile uint64_t *)addr;
		return true;
	}
	return safe_read_probed(r, addr, ret);
}

/* The 8 bytes at addr, at any alignment. */
bool safe_read_unaligned(
	struct safe_reader *r, uint64_t addr, uint64_t *ret) PP_ANY;

#endif
