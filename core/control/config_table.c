/*
 * config_table.c - the one table of variables: --help, the man page's list and
 * the texts of errors are made from it. Context: PP_ANY: constants.
 */
#include "pp.h"

#include "config.h"
#include "config_value.h"

/* The formatter takes the list of words for a block. */
/* clang-format off */
#define TEXT(x) #x
#define COUNT(lo, hi)                                                          \
	.accepted = "a whole number from " TEXT(lo) " to " TEXT(hi),           \
	.parse = value_count, .min = (lo), .max = (hi)
#define FIELD(member) .field = offsetof(struct settings, member)
#define WORDS(...)                                                             \
	.parse = value_word, .words = (const char *const[]){ __VA_ARGS__, NULL }
/* clang-format on */

#define SIGNALS_ACCEPTED                                                      \
	"a signal's name (USR2, RTMIN+3) or number, or none; not KILL, STOP " \
	"or a signal that reports a fault"

const struct config_variable config_table[] = {
	{ .name = "PPROFC_OUTPUT",
		.value = "TEMPLATE",
		.fallback = "%e.%p.%k.pb.gz",
		.accepted = "a path in which %e, %p, %k, %n, %t, %h and %% "
			    "are replaced",
		.parse = value_output,
		FIELD(output),
		.help = "Names of the profiles: %e file name of the program "
			"(links followed: mawk for awk), %p process id, %k "
			"kind, %n number of the snapshot, %t start of the "
			"process in seconds since 1970, %h host, %% a percent "
			"sign. Relative to the directory the program is "
			"started in. An existing directory, or a name that "
			"ends in a slash: the default name in there. Missing "
			"directories are created; files are never "
			"overwritten." },
	{ .name = "PPROFC_PROFILES",
		.value = "LIST",
		.fallback = "cpu,heap,mutex,block",
		.accepted = "cpu, heap, allocs, heap_peak, mutex, block, "
			    "threadcreate, goroutine (or threads) separated "
			    "by commas, or none",
		.parse = value_profiles,
		FIELD(profiles),
		.help = "The profiles to write. goroutine: what all threads "
			"are doing when the signal comes or the interval ends. "
			"threadcreate: where threads were made. "
			"none: stay dormant." },
	{ .name = "PPROFC_CPU_HZ",
		.value = "HZ",
		.fallback = "100",
		COUNT(1, 10000),
		FIELD(cpu_hz),
		.help = "Samples per second of CPU time of each thread. The "
			"kernel's clock tick is the limit." },
	{ .name = "PPROFC_HEAP_RATE",
		.value = "BYTES",
		.fallback = "524288",
		.accepted = "bytes from 0 to 1g, also with k, m or g",
		.parse = value_size,
		.max = UINT64_C(1) << 30,
		FIELD(heap_rate),
		.help = "Mean number of allocated bytes between two samples. "
			"1: record every allocation. 0: no heap profiles." },
	{ .name = "PPROFC_BLOCK",
		.value = "LIST",
		.fallback = "mutex,rwlock,cond,sem,barrier,join",
		.accepted = "mutex, rwlock, cond, sem, barrier, join, once, "
			    "sleep, poll, io separated by commas, or all",
		.parse = value_waits,
		FIELD(block_waits),
		.help = "The waits that the block profile shows. poll: for "
			"readiness. io: in read, recv and accept." },
	{ .name = "PPROFC_BLOCK_RATE",
		.value = "NS",
		.fallback = "10000",
		COUNT(0, 1000000000),
		FIELD(block_rate),
		.help = "Waits shorter than so many nanoseconds are recorded "
			"with a chance in proportion to their length, and "
			"counted the more. 1: record every wait. 0: no block "
			"profile." },
	{ .name = "PPROFC_MUTEX_FRACTION",
		.value = "N",
		.fallback = "1",
		COUNT(0, 1000000),
		FIELD(mutex_fraction),
		.help = "Record one of N releases of locks that others waited "
			"for, on average. 0: no mutex profile." },
	{ .name = "PPROFC_LOCK_EVENTS",
		.value = "N",
		.fallback = "10000",
		COUNT(100, 10000000),
		FIELD(lock_events),
		.help = "The number of stacks taken each second for the mutex "
			"and block profiles, about. Above it only some "
			"are taken, and counted the more." },
	{ .name = "PPROFC_SIGNAL",
		.value = "SIGNAL",
		.fallback = "USR2",
		.accepted = SIGNALS_ACCEPTED,
		.parse = value_signal,
		FIELD(dump_signal),
		.help = "The signal that makes a process write its profiles "
			"now, but for the CPU profile. Without such profiles "
			"the default is none." },
	{ .name = "PPROFC_TOGGLE_SIGNAL",
		.value = "SIGNAL",
		.fallback = "none",
		.accepted = SIGNALS_ACCEPTED,
		.parse = value_signal,
		FIELD(toggle_signal),
		.help = "The signal that starts and stops CPU profiling, which "
			"is then off at the start. One profile per window. "
			"Without cpu in PPROFC_PROFILES it does nothing." },
	{ .name = "PPROFC_INTERVAL",
		.value = "SECONDS",
		.fallback = "0",
		COUNT(0, 31536000),
		FIELD(interval_s),
		.help = "Write all profiles every so many seconds, each from "
			"the start until now. 0: only at the end." },
	{ .name = "PPROFC_KEEP",
		.value = "N",
		.fallback = "0",
		COUNT(0, 1000000),
		FIELD(keep),
		.help = "Keep only the newest N numbered files of each kind. "
			"0: keep all." },
	{ .name = "PPROFC_MAX_DEPTH",
		.value = "FRAMES",
		.fallback = "128",
		COUNT(2, 1024),
		FIELD(max_depth),
		.help = "Frames kept of one stack, counted from the leaf." },
	{ .name = "PPROFC_MEMORY",
		.value = "BYTES",
		.fallback = "256m",
		.accepted = "bytes from 1m to 64g, also with k, m or g",
		.parse = value_size,
		.min = UINT64_C(1) << 20,
		.max = UINT64_C(64) << 30,
		FIELD(memory_bytes),
		.help = "Limit of the memory for samples in each process; "
			"writing "
			"a profile takes some more for a moment. When it "
			"is reached, samples with new stacks are counted in "
			"the frame [overflow], and new objects are missing in "
			"the in-use values; the log says how many." },
	{ .name = "PPROFC_SYMBOLS",
		.value = "WHAT",
		.fallback = "lines",
		.accepted = "lines, names or none",
		WORDS("names", "none", "lines"),
		FIELD(symbols),
		.help = "names: put function names into the profiles. lines: "
			"source lines and inlined functions, too, which a "
			"helper process adds to a finished profile. none: "
			"addresses only." },
	{ .name = "PPROFC_SYMBOLS_TIMEOUT",
		.value = "SECONDS",
		.fallback = "0",
		COUNT(0, 3600),
		FIELD(symbols_wait_s),
		.help = "How long the end of a process waits for the source "
			"lines of its profiles. 0: not at all; they come a "
			"moment later." },
	{ .name = "PPROFC_TID",
		.value = "YESNO",
		.fallback = "no",
		.accepted = "yes or no",
		WORDS("no", "yes"),
		FIELD(tid),
		.help = "Keep threads of the same name apart, with a label "
			"tid." },
	{ .name = "PPROFC_HEAP_LABELS",
		.value = "YESNO",
		.fallback = "no",
		.accepted = "yes or no",
		WORDS("no", "yes"),
		FIELD(heap_labels),
		.help = "Put the labels that the program gives to its threads "
			"on heap samples, too. The others have them anyway." },
	{ .name = "PPROFC_FOLLOW",
		.value = "YESNO",
		.fallback = "yes",
		.accepted = "yes or no",
		WORDS("no", "yes"),
		FIELD(follow),
		.help = "Profile the programs that this program starts, too. "
			"Forked children always are." },
	{ .name = "PPROFC_PROGRAM",
		.value = "GLOB",
		.fallback = "*",
		.accepted = "a pattern with *, ? and []",
		.parse = value_glob,
		.help = "Stay dormant in a program if neither the name of its "
			"file (links followed, without directories) nor the "
			"name it was started by matches." },
	{ .name = "PPROFC_SESSION",
		.value = "PLACE",
		.fallback = "auto",
		.accepted = "auto, anonymous or an existing directory",
		.parse = value_session,
		FIELD(session_place),
		.words = (const char *const[]){ "auto", "anonymous", NULL },
		.help = "Where samples are kept until they are written: a file "
			"in /dev/shm or beside the output (auto), memory "
			"without a file (anonymous), or a file in this "
			"directory." },
	{ .name = "PPROFC_LOG",
		.value = "PLACE",
		.fallback = "none",
		.accepted = "none, stderr or a path",
		.parse = value_log,
		FIELD(log_place),
		.words = (const char *const[]){ "none", "stderr", NULL },
		.help = "Where to say what was written and what went wrong." },
	{ .name = "PPROFC_UNWINDER",
		.value = "NAME",
		.fallback = "own",
		.accepted = "own or libunwind",
		WORDS("own", "libunwind"),
		FIELD(unwinder),
		.help = "Who walks the stack of an allocation. libunwind is "
			"slower; it is there to compare with." },
};
const size_t config_count = PP_ARRAY_LEN(config_table);

_Static_assert(SYMBOLS_NAMES == 0 && SYMBOLS_NONE == 1 && SYMBOLS_LINES == 2,
	"order of words");
_Static_assert(SESSION_AUTO == 0 && SESSION_ANONYMOUS == 1, "order of words");
_Static_assert(LOG_NONE == 0 && LOG_STDERR == 1, "order of words");
_Static_assert(UNWINDER_OWN == 0 && UNWINDER_LIBUNWIND == 1, "order of words");
