/*
 * self_time.c - see self_time.h. Context: PP_ANY.
 */
#include "pp.h"

#include "self_time.h"
#include "sys.h"

PP_COLD void self_start(struct self_time *st, uint64_t weight)
{
	uint64_t first = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	st->weight = weight;
	st->began = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	st->clock_ns = st->began - first;
}

PP_COLD void self_add(struct session *s, const struct self_time *st)
{
	uint64_t end = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t clock_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - end;
	uint64_t ns = end - st->began;

	clock_ns = PP_MIN(clock_ns, st->clock_ns);
	note_time(s, sys_clock_ns(CLOCK_MONOTONIC));
	if (ns > clock_ns)
		session_count(s, STAT_SELF_NS, st->weight * (ns - clock_ns));
}
