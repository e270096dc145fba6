/*
 * stats.h - the counters that make every loss visible, one list.
 *
 * They live in the session and are shown in the comments of every profile as
 * "NAME: N". Those that are a loss, which a user must know, are also said in
 * the log at the end, and so by `pprofc run`, as "N NAME". Context: PP_ANY.
 *
 * X(symbol, "name", is_loss)
 */
#ifndef STATS_H
#define STATS_H

#define STATS_LIST(X)                                                          \
	X(STAT_CPU_SAMPLES, "cpu samples", 0)                                  \
	X(STAT_CPU_OVERRUNS, "cpu timer overruns (weighted in)", 0)            \
	X(STAT_CPU_THREAD_END, "cpu periods charged at thread end", 0)         \
	X(STAT_CPU_UNSEEN, "cpu periods of threads without a timer", 0)        \
	X(STAT_HEAP_SAMPLES, "heap samples", 0)                                \
	X(STAT_HEAP_FREES, "heap samples freed", 0)                            \
	X(STAT_HEAP_STALE, "live entries replaced (free not seen)", 0)         \
	X(STAT_STACKS_TRUNCATED, "truncated stacks", 0)                        \
	X(STAT_STACKS_TOO_DEEP, "stacks cut at PPROFC_MAX_DEPTH", 0)           \
	X(STAT_LOST_CPU_SESSION, "cpu samples lost: no session", 1)            \
	X(STAT_LOST_CPU_FORK, "cpu samples lost: fork in progress", 1)         \
	X(STAT_LOST_HEAP_SESSION, "heap samples lost: no session", 1)          \
	X(STAT_LOST_HEAP_LIVE,                                                 \
		"sampled objects missing in the in-use values: "               \
		"PPROFC_MEMORY is too small",                                  \
		1)                                                             \
	X(STAT_LOST_HEAP_NESTED, "heap samples lost: inside pprofc", 1)        \
	X(STAT_BLOCK_SAMPLES, "block samples", 0)                              \
	X(STAT_MUTEX_SAMPLES, "mutex samples", 0)                              \
	X(STAT_LOCK_SKIPPED,                                                   \
		"lock events beyond PPROFC_LOCK_EVENTS (weighted in)", 0)      \
	X(STAT_LOST_LOCK_SESSION, "lock events lost: no session", 1)           \
	X(STAT_LOST_LOCK_TABLE,                                                \
		"waits that no mutex sample shows: too many locks, or let go " \
		"by another process",                                          \
		1)                                                             \
	X(STAT_CREATED, "threads created", 0)                                  \
	X(STAT_LOST_CREATED, "thread creations not recorded", 1)               \
	X(STAT_LABELS_REFUSED, "labels refused", 1)                            \
	X(STAT_LABELS_CUT, "label texts cut", 0)                               \
	X(STAT_LOST_LABELS, "samples without their labels", 1)                 \
	X(STAT_LOST_DEAD_CLAIMS, "records lost: writer vanished", 1)           \
	X(STAT_DAMAGED, "rows and records left out: damaged", 1)               \
	X(STAT_OVERFLOW,                                                       \
		"samples without a stack, in [overflow]: "                     \
		"PPROFC_MEMORY is too small",                                  \
		1)                                                             \
	X(STAT_DIRECT, "records added directly: ring full", 0)                 \
	X(STAT_RULE_MISSES, "unwind rules compiled", 0)                        \
	X(STAT_RULE_ERRORS, "unwind rules not expressible", 0)                 \
	X(STAT_PROBES, "stack pages probed", 0)                                \
	X(STAT_TIMER_FAILED,                                                   \
		"timers refused (ulimit -i): the CPU time of their threads "   \
		"is in [thread end]",                                          \
		1)                                                             \
	X(STAT_LOST_REGISTRY, "CPU accounts not settled: registry busy", 1)    \
	X(STAT_SELF_NS, "own CPU time, estimated (ns)", 0)                     \
	X(STAT_REPORTS, "profiles written", 0)                                 \
	X(STAT_REPORTS_FAILED, "profiles not written (said at once)", 0)

enum stat_id {
#define STATS_ENUM(symbol, text, loss) symbol,
	STATS_LIST(STATS_ENUM)
#undef STATS_ENUM
		STAT_COUNT,
};

#endif
