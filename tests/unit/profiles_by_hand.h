/*
 * profiles_by_hand.h - sessions filled by hand, reports from them, and what
 * protoc and go tool pprof say about these. For the tests of profiles.
 *
 * The profiles are written into a fresh directory; each case reads its file
 * through popen().
 */
#ifndef PROFILES_BY_HAND_H
#define PROFILES_BY_HAND_H

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

static inline struct settings settings_for(unsigned profiles)
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

static inline struct session *make_session(const struct settings *set)
{
	struct session *s = NULL;

	CHECK_EQ(session_create(set, &s), 0);
	if (!s)
		exit(1);
	return s;
}

static inline int add_segment(struct dl_phdr_info *info, size_t size, void *arg)
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
static inline unsigned own_module(struct session *s)
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
static inline unsigned fake_module(
	struct session *s, uint64_t start, const char *path)
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

static inline frame_t in(const void *function, unsigned module)
{
	return frame_make((uint64_t)(uintptr_t)function + 4, true, module);
}

static inline uint32_t cpu_row(struct session *s, const frame_t *frames,
	unsigned n, const char *thread, uint32_t tid)
{
	struct row_key key = { .kind = ROW_CPU,
		.tid = tid,
		.stack = stacks_intern(s, frames, n) };

	memcpy(key.thread, thread, PP_MIN(strlen(thread), 16u));
	return rows_intern(s, &key);
}

static inline void push_cpu(struct session *s, uint32_t row, uint64_t count)
{
	struct record r = { .row = row,
		.kind = RECORD_CPU,
		.count = count,
		.amount = count * 10000000 };

	ring_push(s, r, 0, false);
}

static inline void push_alloc(struct session *s, const frame_t *frames,
	unsigned n, uint64_t address, uint64_t size, uint64_t objects)
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

static inline void push_free(struct session *s, uint64_t address)
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
static inline void run(const char *command, const char *path)
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

static inline bool has(const char *words)
{
	if (strstr(text, words))
		return true;
	printf("# not found: %s\n# in: %s\n", words, text);
	return false;
}

static inline unsigned times(const char *words)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, words)); p++)
		n++;
	return n;
}

static inline int write_kind(struct session *s, enum profile_kind kind,
	enum report_occasion occasion, char *path)
{
	struct report_request request = {
		.kind = kind, .occasion = occasion, .own_process = true
	};

	return report_write(s, &request, path, 4096);
}

static const char raw[] = "go tool pprof -raw";

static inline void begin_profiles(void)
{
	(void)snprintf(
		dir, sizeof(dir), "/tmp/pprofc-test-profile.%d", getpid());
}

static inline void end_profiles(void)
{
	(void)snprintf(text, sizeof(text), "rm -rf '%s'", dir);
	(void)!system(text);
}

#endif
