/*
 * test_profile.c - whole reports from sessions made by hand, read back by
 * protoc and by go tool pprof.
 *
 * The profiles are written into a fresh directory; each case reads its file
 * through popen(). What the tools print is compared with what was recorded.
 */
#include "pp.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmt.h"
#include "live.h"
#include "log.h"
#include "modules.h"
#include "profile.h"
#include "report.h"
#include "ring.h"
#include "rows.h"
#include "session.h"
#include "size_class.h"
#include "snapshot.h"
#include "stacks.h"
#include "sys.h"

#include "test.h"

static char dir[64];
static char text[256 * 1024]; /* output of the last tool */

/* --- a session by hand --------------------------------------------------- */

static struct settings settings_for(unsigned profiles)
{
	struct settings set = { .profiles = profiles,
		.cpu_hz = 100,
		.heap_rate = 1,
		.memory_bytes = 16u << 20,
		.max_depth = 128,
		.session_place = SESSION_ANONYMOUS,
		.program = "prog",
		.host = "host" };

	(void)snprintf(set.output, sizeof(set.output), "%s/%%e.%%k.pb.gz", dir);
	return set;
}

static struct session *make_session(const struct settings *set)
{
	struct session *s = NULL;

	CHECK_EQ(session_create(set, &s), 0);
	if (!s)
		exit(1);
	return s;
}

static int add_segment(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module_info *m = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && (p->p_flags & PF_X)) {
			m->start = info->dlpi_addr + p->p_vaddr;
			m->limit = m->start + p->p_memsz;
			m->file_offset = p->p_offset;
			m->bias = info->dlpi_addr;
		}
	}
	return 1; /* the program comes first */
}

/* Our own executable, as capture would find it. */
static unsigned own_module(struct session *s)
{
	static char path[4096];
	static uint8_t id[] = { 0 };
	struct module_info m = { .is_main = true,
		.kind = MODULE_FILE,
		.path = path,
		.build_id = id };
	char cmd[4200], hex[128] = "";
	static uint8_t raw[32];
	FILE *f;

	CHECK(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	(void)dl_iterate_phdr(add_segment, &m);
	(void)snprintf(cmd, sizeof(cmd),
		"readelf -n '%s' | sed -n 's/.*Build ID: //p'", path);
	f = popen(cmd, "r");
	if (f && fgets(hex, sizeof(hex), f))
		hex[strcspn(hex, "\n")] = '\0';
	if (f)
		(void)pclose(f);
	for (m.build_id_len = 0; hex[2 * m.build_id_len]; m.build_id_len++) {
		unsigned byte = 0;

		(void)sscanf(hex + 2 * m.build_id_len, "%2x", &byte);
		raw[m.build_id_len] = (uint8_t)byte;
	}
	m.build_id = raw;
	return modules_intern(s, &m);
}

/* A library that is nowhere on disk. */
static unsigned fake_module(struct session *s, uint64_t start, const char *path)
{
	static const uint8_t id[4] = { 0xde, 0xad, 0xbe, 0xef };
	struct module_info m = { .start = start,
		.limit = start + 0x1000,
		.file_offset = 0x1000,
		.bias = start - 0x1000,
		.kind = MODULE_FILE,
		.build_id = id,
		.build_id_len = 4,
		.path = path };

	return modules_intern(s, &m);
}

/* Functions to stand in stacks. */
PP_NOINLINE static int leaf_function(int x)
{
	return x * 3 + 1;
}

PP_NOINLINE static int middle_function(int x)
{
	return leaf_function(x) + 2;
}

/* Named as an allocator would be. */
int _Znwm(int x);
PP_NOINLINE int _Znwm(int x)
{
	return x * 5 + middle_function(x);
}

static frame_t in(const void *function, unsigned module)
{
	return frame_make((uint64_t)(uintptr_t)function + 4, true, module);
}

static uint32_t cpu_row(struct session *s, const frame_t *frames, unsigned n,
	const char *thread, uint32_t tid)
{
	struct row_key key = { .kind = ROW_CPU,
		.tid = tid,
		.stack = stacks_intern(s, frames, n) };

	memcpy(key.thread, thread, PP_MIN(strlen(thread), 16u));
	return rows_intern(s, &key);
}

static void push_cpu(struct session *s, uint32_t row, uint64_t count)
{
	struct record r = { .row = row,
		.kind = RECORD_CPU,
		.count = count,
		.amount = count * 10000000 };

	ring_push(s, r, 0, false);
}

static void push_alloc(struct session *s, const frame_t *frames, unsigned n,
	uint64_t address, uint64_t size, uint64_t objects)
{
	struct row_key key = { .kind = ROW_HEAP,
		.size_class = size_class(size),
		.stack = stacks_intern(s, frames, n) };
	struct live_value v = {
		.row = rows_intern(s, &key), .size = size, .objects = objects
	};
	struct record r = { .row = v.row,
		.kind = RECORD_ALLOC,
		.size = size,
		.count = objects,
		.amount = live_bytes(&v) };

	CHECK(live_put(s, address, &v));
	ring_push(s, r, 0, false);
}

static void push_free(struct session *s, uint64_t address)
{
	struct live_value v;
	struct record r = { .kind = RECORD_FREE };

	CHECK(live_take(s, address, &v));
	r.row = v.row;
	r.size = v.size;
	r.count = v.objects;
	r.amount = live_bytes(&v);
	ring_push(s, r, 0, false);
}

/* --- reading back -------------------------------------------------------- */

/* Run a command with the path of the profile appended; its output in text. */
static void run(const char *command, const char *path)
{
	char line[4600];
	size_t n = 0;
	FILE *f;

	(void)snprintf(line, sizeof(line), "%s '%s' 2>&1", command, path);
	f = popen(line, "r");
	if (f)
		n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	CHECK(f && pclose(f) == 0);
}

static bool has(const char *words)
{
	if (strstr(text, words))
		return true;
	printf("# not found: %s\n# in: %s\n", words, text);
	return false;
}

static unsigned times(const char *words)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, words)); p++)
		n++;
	return n;
}

static int write_kind(struct session *s, enum profile_kind kind,
	enum report_occasion occasion, char *path)
{
	struct report_request request = {
		.kind = kind, .occasion = occasion, .own_process = true
	};

	return report_write(s, &request, path, 4096);
}

static const char raw[] = "go tool pprof -raw";

/* --- cases --------------------------------------------------------------- */

TEST(cpu_profile_holds_what_was_pushed)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	unsigned m = own_module(s);
	frame_t a[] = { in((void *)leaf_function, m),
		in((void *)middle_function, m) };
	char path[4096];
	uint32_t row = cpu_row(s, a, 2, "worker", 42);

	push_cpu(s, row, 2);
	push_cpu(s, row, 1);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has("PeriodType: cpu nanoseconds\nPeriod: 10000000\n"));
	CHECK(has("samples/count cpu/nanoseconds\n"));
	CHECK(has("          3   30000000: 1 2 \n"));
	CHECK(has("                thread:[worker]\n"));
	CHECK(has("                tid:[42]\n"));
	CHECK(has(" M=1 leaf_function :0 s=0\n") ||
		has(" leaf_function :0 s=0\n"));
	CHECK(has("middle_function"));
	CHECK(has("[FN]"));
	run("go tool pprof -top", path);
	CHECK(has("leaf_function"));
	session_close(s);
}

TEST(heap_profile_takes_in_use_from_the_live_table)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	unsigned m = own_module(s);
	frame_t a[] = { in((void *)_Znwm, m), in((void *)leaf_function, m),
		in((void *)middle_function, m) };
	char path[4096];

	push_alloc(s, a, 3, 0x10000, 100, 3 * ROW_ONE);
	push_alloc(s, a + 1, 2, 0x20000, 100, ROW_ONE + ROW_ONE / 2);
	push_alloc(s, a + 1, 2, 0x30000, 500, ROW_ONE);
	push_free(s, 0x10000);
	CHECK_EQ(write_kind(s, PROFILE_HEAP, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has("PeriodType: space bytes\nPeriod: 1\n"));
	CHECK(has("alloc_objects/count alloc_space/bytes inuse_objects/count "
		  "inuse_space/bytes\n"));
	/* One row: the allocator's frame is gone, so the stacks are equal. */
	CHECK(has("          5        450          2        150: "));
	CHECK(has("                bytes:[104]\n"));
	CHECK(has("          1        500          1        500: "));
	CHECK(has("                bytes:[512]\n"));
	CHECK_EQ(times("_Znwm"), 0);
	session_close(s);
}

TEST(allocs_differs_from_heap_by_its_default_only)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_ALLOCS));
	struct session *s = make_session(&set);
	frame_t a[] = { in((void *)leaf_function, own_module(s)) };
	char path[4096];

	push_alloc(s, a, 1, 0x10000, 100, ROW_ONE);
	push_free(s, 0x10000);
	CHECK_EQ(write_kind(s, PROFILE_ALLOCS, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has("alloc_objects/count alloc_space/bytes[dflt] "
		  "inuse_objects/count inuse_space/bytes\n"));
	CHECK(has("          1        100          0          0: 1 "));
	session_close(s);
}

TEST(heap_peak_is_the_moment_of_the_most_bytes)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP_PEAK));
	struct session *s = make_session(&set);
	unsigned m = own_module(s);
	frame_t a[] = { in((void *)leaf_function, m) };
	frame_t b[] = { in((void *)middle_function, m) };
	char path[4096];

	push_alloc(s, a, 1, 0x10000, 100, ROW_ONE);
	push_alloc(s, b, 1, 0x20000, 900, ROW_ONE); /* the peak */
	push_free(s, 0x20000);
	push_alloc(s, a, 1, 0x30000, 100, ROW_ONE);
	CHECK_EQ(write_kind(s, PROFILE_HEAP_PEAK, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has("inuse_objects/count inuse_space/bytes\n"));
	CHECK(has("          1        100: "));
	CHECK(has("          1        900: "));
	session_close(s);
}

TEST(earlier_copy_of_in_use_is_what_is_written)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	frame_t a[] = { in((void *)leaf_function, own_module(s)) };
	struct report_request request = { .kind = PROFILE_HEAP,
		.occasion = REPORT_EXIT,
		.own_process = true };
	char path[4096];

	push_alloc(s, a, 1, 0x10000, 100, ROW_ONE);
	request.live = report_copy_live(s);
	CHECK(request.live != NULL);
	push_free(s, 0x10000);
	push_alloc(s, a, 1, 0x20000, 100, ROW_ONE);
	push_free(s, 0x20000);
	CHECK_EQ(report_write(s, &request, path, sizeof(path)), 0);
	run(raw, path);
	CHECK(has("          2        200          1        100: 1 "));
	session_close(s);
}

/* The line of the log for one report. */
static const char *line_of_log(struct session *s, enum profile_kind kind,
	enum report_occasion occasion)
{
	static const struct settings nowhere;
	static char line[4096];
	char path[4096];
	FILE *f;

	(void)snprintf(s->settings.log_path, sizeof(s->settings.log_path),
		"%s/log", dir);
	(void)unlink(s->settings.log_path);
	s->settings.log_place = LOG_FILE;
	log_open(&s->settings);
	CHECK_EQ(write_kind(s, kind, occasion, path), 0);
	log_open(&nowhere);
	f = fopen(s->settings.log_path, "r");
	line[0] = '\0';
	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		(void)fclose(f);
	return line;
}

TEST(log_says_how_many_samples_not_rows)
{
	struct settings set = settings_for(
		PROFILE_BIT(PROFILE_CPU) | PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	frame_t a[] = { in((void *)leaf_function, own_module(s)) };
	uint32_t row = cpu_row(s, a, 1, "t", 0);

	(void)snprintf(s->settings.output, sizeof(s->settings.output),
		"%s/samples.%%k.pb.gz", dir);
	push_cpu(s, row, 1);
	CHECK(strstr(line_of_log(s, PROFILE_CPU, REPORT_WINDOW),
		" (cpu, 1 sample)\n"));
	push_cpu(s, row, 5);
	push_cpu(s, cpu_row(s, a, 1, "other", 0), 1);
	CHECK(strstr(line_of_log(s, PROFILE_CPU, REPORT_WINDOW),
		" (cpu, 6 samples)\n"));
	CHECK(strstr(line_of_log(s, PROFILE_CPU, REPORT_EXIT),
		" (cpu, 7 samples)\n"));
	/* An allocation is one, however many objects it stands for. */
	push_alloc(s, a, 1, 0x10000, 100, 40 * ROW_ONE);
	push_alloc(s, a, 1, 0x20000, 100, 40 * ROW_ONE);
	push_free(s, 0x10000);
	CHECK(strstr(line_of_log(s, PROFILE_HEAP, REPORT_EXIT),
		" (heap, 2 samples)\n"));
	session_close(s);
}

TEST(without_samples_no_file_is_made)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	char path[4096] = "untouched";

	(void)snprintf(set.output, sizeof(set.output), "%s/none/x.pb.gz", dir);
	s->settings = set;
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_SIGNAL, path), -ENODATA);
	CHECK(strcmp(path, "untouched") == 0);
	(void)snprintf(path, sizeof(path), "%s/none", dir);
	CHECK(access(path, F_OK) != 0);
	CHECK_EQ(s->sequence[PROFILE_CPU], 0);
	session_close(s);
}

TEST(window_holds_what_came_since_the_last_one)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	frame_t a[] = { in((void *)leaf_function, own_module(s)) };
	uint32_t row = cpu_row(s, a, 1, "t", 0);
	char path[4096];

	push_cpu(s, row, 5);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_WINDOW, path), 0);
	CHECK(strstr(path, ".1.pb.gz") != NULL);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_WINDOW, path), -ENODATA);
	push_cpu(s, row, 2);
	s->cpu_window_start_ns = sys_clock_ns(CLOCK_REALTIME) - 7000000000u;
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_WINDOW, path), 0);
	CHECK(strstr(path, ".2.pb.gz") != NULL);
	run(raw, path);
	CHECK(has("          2   20000000: 1 "));
	CHECK(has("\nDuration: 7"));
	/* Cumulative files are not touched by windows. */
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has("          7   70000000: 1 "));
	session_close(s);
}

TEST(our_own_frames_are_not_shown)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	unsigned m = own_module(s);
	unsigned ours = fake_module(s, 0x700000000000, "/opt/libpprofc.so");
	frame_t with[] = { frame_make(0x700000000010, true, ours),
		in((void *)leaf_function, m),
		frame_make(0x700000000020, false, ours),
		in((void *)middle_function, m),
		frame_make(0x700000000030, false, ours) };
	frame_t without[] = { with[1], with[3] };
	frame_t only[] = { with[0] };
	char path[4096];

	push_cpu(s, cpu_row(s, with, 5, "t", 0), 1);
	push_cpu(s, cpu_row(s, without, 2, "t", 0), 2);
	push_cpu(s, cpu_row(s, only, 1, "t", 0), 4);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run(raw, path);
	/* The first two are one row now; the last had nothing else. */
	CHECK(has("          3   30000000: "));
	CHECK(has("          4   40000000: "));
	CHECK_EQ(times("0000000: "), 2);
	CHECK_EQ(times("0x7000000000"), 2); /* one location, the mapping */
	session_close(s);
}

TEST(allocator_frames_go_but_never_the_whole_stack)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	unsigned m = own_module(s);
	frame_t new = in((void *)_Znwm, m);
	frame_t truncated = frame_synthetic(FRAME_TRUNCATED);
	frame_t twice[] = { new, new + 1, in((void *)leaf_function, m) };
	frame_t only[] = { new, new + 2, truncated };
	frame_t inside[] = { in((void *)middle_function, m), new + 3 };
	char path[4096];

	push_alloc(s, twice, 3, 0x10000, 1, ROW_ONE);
	push_alloc(s, only, 3, 0x20000, 2, ROW_ONE);
	push_alloc(s, inside, 2, 0x30000, 3, ROW_ONE);
	CHECK_EQ(write_kind(s, PROFILE_HEAP, REPORT_EXIT, path), 0);
	run("go tool pprof -traces", path);
	CHECK(has("1B   leaf_function\n-"));
	CHECK(has("2B   operator new\n             operator new\n"
		  "             [truncated]\n"));
	CHECK(has("3B   middle_function\n             operator new\n"));
	session_close(s);
}

TEST(frames_of_ours_have_names_and_a_mapping)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	char path[4096];

	(void)own_module(s);
	for (unsigned i = 0; i < FRAME_SYNTHETICS; i++) {
		frame_t f = frame_synthetic((enum frame_synthetic)i);

		push_cpu(s, cpu_row(s, &f, 1, "t", 0), 1 + i);
	}
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has("0x1000/0x2000/0x0 [pprofc]  [FN]\n"));
	CHECK(has("[truncated] :0 s=0\n"));
	CHECK(has("[max depth] :0 s=0\n"));
	CHECK(has("[overflow] :0 s=0\n"));
	CHECK(has("[thread end] :0 s=0\n"));
	CHECK(has("[thread unseen] :0 s=0\n"));
	/* The program is the first mapping, although no sample is in it. */
	CHECK(has("Mappings\n1: "));
	CHECK(strstr(strstr(text, "Mappings\n1: "), "test_profile") != NULL);
	run("go tool pprof -top", path);
	CHECK(has("File: test_profile\n"));
	CHECK(!strstr(text, "Local symbolization"));
	session_close(s);
}

TEST(program_comes_first_even_if_it_was_never_seen)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	unsigned m = fake_module(s, 0x700000000000, "/lib/libfoo.so");
	frame_t f = frame_make(0x700000000010, true, m);
	char path[4096];

	push_cpu(s, cpu_row(s, &f, 1, "t", 0), 1);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run("go tool pprof -top -symbolize=none", path);
	CHECK(has("File: test_profile\nBuild ID: "));
	CHECK(has("[libfoo.so]"));
	session_close(s);
}

TEST(code_without_a_name_has_no_line)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	unsigned m = fake_module(s, 0x700000000000, "/lib/libfoo.so (deleted)");
	frame_t a[] = { frame_make(0x700000000010, true, m),
		frame_make(0x700000000000, false, m), /* before its start */
		frame_make(0x123456789abc, true, 0) };
	char path[4096];

	push_cpu(s, cpu_row(s, a, 3, "t", 0), 1);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has(": 0x700000000010 M="));
	CHECK(has("0x700000000000/0x700000001000/0x1000 /lib/libfoo.so "
		  "deadbeef \n"));
	CHECK(has(": 0x6fffffffffff M="));
	CHECK(has("0x123456789abc/"));
	CHECK(has("[unknown]  \n") || has("[unknown] \n"));
	CHECK_EQ(times(" s=0"), 0);
	session_close(s);
}

TEST(file_that_changed_gives_no_names_and_a_comment)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	unsigned m = fake_module(s, 0x700000000000, "/proc/self/exe");
	frame_t f = frame_make(0x700000000010, true, m);
	char path[4096];

	push_cpu(s, cpu_row(s, &f, 1, "t", 0), 1);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run("go tool pprof -comments", path);
	CHECK(has("no names from /proc/self/exe: another build than the one "
		  "that ran\n"));
	session_close(s);
}

TEST(thread_names_are_made_fit_for_json)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_CPU));
	struct session *s = make_session(&set);
	frame_t a[] = { in((void *)leaf_function, own_module(s)) };
	char path[4096];

	push_cpu(s, cpu_row(s, a, 1, "b\xff\nx", 0), 1);
	push_cpu(s, cpu_row(s, a, 1, "b\x01\tx", 0), 2);
	push_cpu(s, cpu_row(s, a, 1, "sixteen-\xc3\xa9-bytes", 0), 4);
	push_cpu(s, cpu_row(s, a, 1, "", 0), 8);
	CHECK_EQ(write_kind(s, PROFILE_CPU, REPORT_EXIT, path), 0);
	run(raw, path);
	CHECK(has(
		"          3   30000000: 1 \n                thread:[b??x]\n"));
	CHECK(has("          4   40000000: 1 \n"
		  "                thread:[sixteen-\xc3\xa9-bytes]\n"));
	CHECK(has("          8   80000000: 1 \n"));
	CHECK_EQ(times("thread:"), 2);
	session_close(s);
}

TEST(names_can_be_left_out_but_stripping_still_works)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s;
	frame_t a[2];
	char path[4096];

	set.symbols = SYMBOLS_NONE;
	s = make_session(&set);
	a[0] = in((void *)_Znwm, own_module(s));
	a[1] = in((void *)leaf_function, own_module(s));
	push_alloc(s, a, 2, 0x10000, 1, ROW_ONE);
	CHECK_EQ(write_kind(s, PROFILE_HEAP, REPORT_EXIT, path), 0);
	run("go tool pprof -symbolize=none -raw", path);
	CHECK_EQ(times(" s=0"), 0);
	CHECK_EQ(times("[FN]"), 0);
	CHECK(has("          1          1          1          1: 1 \n"));
	session_close(s);
}

TEST(numbers_count_up_and_the_newest_are_kept)
{
	struct settings set = settings_for(
		PROFILE_BIT(PROFILE_HEAP) | PROFILE_BIT(PROFILE_CPU));
	struct session *s;
	char path[4096];
	frame_t a[1];

	(void)snprintf(
		set.output, sizeof(set.output), "%s/keep/%%k.pb.gz", dir);
	set.keep = 2;
	s = make_session(&set);
	a[0] = in((void *)leaf_function, own_module(s));
	push_alloc(s, a, 1, 0x10000, 1, ROW_ONE);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(write_kind(s, PROFILE_HEAP, REPORT_INTERVAL, path), 0);
	CHECK_EQ(write_kind(s, PROFILE_HEAP, REPORT_EXIT, path), 0);
	(void)snprintf(path, sizeof(path), "%s/keep", dir);
	run("ls", path);
	CHECK(strcmp(text, "heap.3.pb.gz\nheap.4.pb.gz\nheap.pb.gz\n") == 0);
	CHECK_EQ(session_stat(s, STAT_REPORTS), 5);
	session_close(s);
}

TEST(place_that_cannot_be_written_is_counted)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s;
	char path[4096];
	frame_t a[1];

	(void)snprintf(set.output, sizeof(set.output), "/dev/null/x.pb.gz");
	s = make_session(&set);
	a[0] = in((void *)leaf_function, own_module(s));
	push_alloc(s, a, 1, 0x10000, 1, ROW_ONE);
	CHECK_EQ(write_kind(s, PROFILE_HEAP, REPORT_EXIT, path), -ENOTDIR);
	CHECK_EQ(session_stat(s, STAT_REPORTS_FAILED), 1);
	session_close(s);
}

/* --- memory -------------------------------------------------------------- */

static size_t sunk;

static int sink(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	sunk += len;
	return 0;
}

static int write_with(struct session *s, uint32_t fail_after)
{
	struct report_request request = { .kind = PROFILE_HEAP,
		.own_process = true };
	struct snapshot snap;
	struct arena arena;
	int err;

	arena_init(&arena);
	arena.fail_after = fail_after;
	sunk = 0;
	err = snapshot_take(s, &request, &arena, &snap);
	if (!err)
		err = profile_write(&snap, &request, &arena, sink, NULL);
	arena_free(&arena);
	return err;
}

/* With every single allocation refused once: an error, or (names only) a
 * profile without some names; never anything else. */
TEST(refused_memory_is_an_error)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	unsigned m = own_module(s);
	unsigned failed = 0, n;
	size_t whole;

	for (unsigned i = 0; i < 3000; i++) {
		frame_t a[] = { in((void *)leaf_function, m) + i / 3,
			in((void *)middle_function, m) };

		push_alloc(s, a, 2, 0x10000 + 16 * i, 1 + i % 3, ROW_ONE);
	}
	CHECK_EQ(write_with(s, 0), 0);
	whole = sunk;
	for (n = 1; n < 10000; n++) {
		int err = write_with(s, n);

		if (err == 0 && sunk == whole)
			break;
		failed += err == -ENOMEM;
		CHECK(err == -ENOMEM || err == 0);
	}
	printf("# %u of %u refusals were errors\n", failed, n - 1);
	CHECK(n > 20 && n < 10000);
	CHECK(failed > 10);
	session_close(s);
}

/* --- the stack a report needs -------------------------------------------- */

#define STACK_BYTES (64u * 1024)

static struct session *on_signal_session;
static int on_signal_result;

static void write_in_handler(int sig)
{
	char path[256];

	(void)sig;
	on_signal_result = write_kind(
		on_signal_session, PROFILE_HEAP, REPORT_EXIT, path);
}

TEST(report_fits_a_small_stack)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	frame_t a[] = { in((void *)leaf_function, own_module(s)) };
	static uint8_t stack[STACK_BYTES];
	stack_t alt = { .ss_sp = stack, .ss_size = STACK_BYTES };
	struct sigaction act = { .sa_handler = write_in_handler,
		.sa_flags = SA_ONSTACK };
	size_t unused = 0;

	push_alloc(s, a, 1, 0x10000, 1, ROW_ONE);
	on_signal_session = s;
	on_signal_result = 1;
	memset(stack, 0xa5, sizeof(stack));
	CHECK_EQ(sigaltstack(&alt, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(on_signal_result, 0);
	while (unused < sizeof(stack) && stack[unused] == 0xa5)
		unused++;
	printf("# a report used %zu bytes of stack\n", sizeof(stack) - unused);
	CHECK(sizeof(stack) - unused < 20 * 1024);
	alt.ss_flags = SS_DISABLE;
	CHECK_EQ(sigaltstack(&alt, NULL), 0);
	session_close(s);
}

int main(void)
{
	(void)snprintf(
		dir, sizeof(dir), "/tmp/pprofc-test-profile.%d", getpid());
	RUN(cpu_profile_holds_what_was_pushed);
	RUN(heap_profile_takes_in_use_from_the_live_table);
	RUN(allocs_differs_from_heap_by_its_default_only);
	RUN(heap_peak_is_the_moment_of_the_most_bytes);
	RUN(earlier_copy_of_in_use_is_what_is_written);
	RUN(log_says_how_many_samples_not_rows);
	RUN(without_samples_no_file_is_made);
	RUN(window_holds_what_came_since_the_last_one);
	RUN(our_own_frames_are_not_shown);
	RUN(allocator_frames_go_but_never_the_whole_stack);
	RUN(frames_of_ours_have_names_and_a_mapping);
	RUN(program_comes_first_even_if_it_was_never_seen);
	RUN(code_without_a_name_has_no_line);
	RUN(file_that_changed_gives_no_names_and_a_comment);
	RUN(thread_names_are_made_fit_for_json);
	RUN(names_can_be_left_out_but_stripping_still_works);
	RUN(numbers_count_up_and_the_newest_are_kept);
	RUN(place_that_cannot_be_written_is_counted);
	RUN(refused_memory_is_an_error);
	RUN(report_fits_a_small_stack);
	(void)snprintf(text, sizeof(text), "rm -rf '%s'", dir);
	(void)!system(text);
	return test_done();
}
