/*
 * self_time.c - see self_time.h. Context: PP_ANY.
 */
#include "pp.h"

#include "self_time.h"
#include "sys.h"

#define FIRST 16u    /* up to here each is timed, */
#define SECOND 1024u /* up to here one in OFTEN, */
#define THIRD 16384u /* up to here one in SELDOM, from here one in RARELY */
#define OFTEN 16u
#define SELDOM 1024u
#define RARELY 4096u

/* The length of the block that the n-th lies in. */
static uint32_t block_of(uint32_t n)
{
	if (n < SECOND)
		return OFTEN;
	return n < THIRD ? SELDOM : RARELY;
}

static uint32_t middle(uint32_t n)
{
	uint32_t length = block_of(n), block = n / length;

	return block * length + length / 2 + block % 2;
}

/* Which is timed after the n-th has been. */
static uint32_t next_timed(uint32_t n)
{
	if (n < FIRST)
		return n + 1;
	if (middle(n) > n)
		return middle(n);
	return middle((n / block_of(n) + 1) * block_of(n));
}

PP_COLD void self_start(struct thread_state *t, struct self_time *st)
{
	uint64_t first = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint32_t n = t->timed + 1, next = next_timed(n);

	t->timed = next - 1;
	t->untimed = next - n - 1;
	st->weight = n <= FIRST ? 1 : block_of(n);
	st->began = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	st->clock_ns = st->began - first;
}

PP_COLD void self_add(struct session *s, const struct self_time *st)
{
	uint64_t end = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t clock_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - end;
	uint64_t ns = end - st->began;

	clock_ns = PP_MIN(clock_ns, st->clock_ns);
	session_seen(s, sys_clock_ns(CLOCK_MONOTONIC));
	if (ns > clock_ns)
		session_count(s, STAT_SELF_NS, st->weight * (ns - clock_ns));
}
