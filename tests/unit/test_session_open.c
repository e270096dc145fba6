/*
 * test_session_open.c - session files as other processes leave them: killed
 * between any two steps of the ring, cut, of another version, damaged in any
 * place. BUILD: -pthread
 */
#include "pp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live.h"
#include "modules.h"
#include "report.h"
#include "ring.h"
#include "rows.h"
#include "session_layout.h"
#include "session_open.h"
#include "stacks.h"
#include "test.h"
#include "threads.h"

static char dir[] = "/tmp/pprofc-open-XXXXXX";

static struct session *new_session(void)
{
	struct settings set = { .profiles = PROFILE_BIT(PROFILE_CPU) |
					    PROFILE_BIT(PROFILE_HEAP) |
					    PROFILE_BIT(PROFILE_HEAP_PEAK),
		.cpu_hz = 100,
		.heap_rate = 1,
		.memory_bytes = 4u << 20,
		.max_depth = 128,
		.session_place = SESSION_DIR };
	struct session *s = NULL;

	(void)snprintf(set.output, sizeof(set.output), "%s/out", dir);
	(void)snprintf(set.session_dir, sizeof(set.session_dir), "%s", dir);
	CHECK_EQ(session_create(&set, &s), 0);
	if (!s)
		exit(1);
	return s;
}

static uint32_t row_of(struct session *s, enum row_kind kind, uint64_t pc)
{
	frame_t f[2] = { frame_make(pc, true, 1),
		frame_make(pc + 9, false, 1) };
	struct row_key key = { .kind = (uint16_t)kind,
		.stack = stacks_intern(s, f, 2) };

	return rows_intern(s, &key);
}

/* A little of everything. */
static void fill(struct session *s)
{
	struct module_info info = { .start = 0x1000,
		.limit = 0x900000,
		.bias = 0x1000,
		.kind = MODULE_FILE,
		.is_main = true,
		.path = "/proc/self/exe" };

	(void)modules_intern(s, &info);
	(void)threads_take(s, 1);
	for (uint64_t i = 1; i <= 300; i++) {
		struct record r = { .kind = RECORD_CPU,
			.row = row_of(s, ROW_CPU, 0x2000 + i),
			.count = 1,
			.amount = 10000000 };
		struct live_value v = { .row = row_of(s, ROW_HEAP, 0x9000 + i),
			.size = 100,
			.objects = ROW_ONE };

		ring_push(s, r, 1, false);
		(void)live_put(s, i * 16, &v);
		r = (struct record){ .kind = RECORD_ALLOC,
			.row = v.row,
			.count = ROW_ONE,
			.amount = 100,
			.size = 100 };
		ring_push(s, r, 1, false);
	}
}

/* The file as a killed process leaves it; ours goes. */
static void let_go(struct session *s, char path[SETTINGS_PATH_MAX])
{
	(void)snprintf(path, SETTINGS_PATH_MAX, "%s", s->file_path);
	session_close(s);
}

static uint64_t cpu_samples(const struct session *s)
{
	uint64_t n = 0;

	for (uint32_t id = 1; id <= atomic_load(&s->row_count); id++) {
		const struct row *row = rows_get(s, id);

		if (row && row->key.kind == ROW_CPU)
			n += atomic_load(&row->cpu.samples);
	}
	return n;
}

TEST(copy_has_everything_and_file_stays)
{
	char path[SETTINGS_PATH_MAX];
	struct session *s = new_session(), *copy = NULL;
	struct stat before, after;

	fill(s);
	let_go(s, path);
	CHECK_EQ(stat(path, &before), 0);
	CHECK_EQ(session_open(path, &copy), 0);
	CHECK_EQ(stat(path, &after), 0);
	CHECK_EQ(after.st_blocks, before.st_blocks);
	if (copy) {
		CHECK_EQ(cpu_samples(copy), 300);
		CHECK_EQ(session_stat(copy, STAT_DAMAGED), 0);
		CHECK_EQ(session_stat(copy, STAT_LOST_DEAD_CLAIMS), 0);
	}
	session_close(copy);
	CHECK_EQ(unlink(path), 0);
}

/* The drainer died before tail moved on; the slot it had freed is claimed and
 * full anew, one round later. */
TEST(slot_claimed_anew_before_tail_moved)
{
	struct session *s = new_session();
	struct record r = { .kind = RECORD_CPU,
		.row = row_of(s, ROW_CPU, 0x5000),
		.count = 1,
		.amount = 10 };
	struct ring_claim claim;

	CHECK(baton_try(s)); /* nobody drains */
	for (unsigned i = 0; i < SESSION_RING_SLOTS; i++) {
		CHECK(ring_claim(s, 1, false, &claim));
		claim.slot->record = r;
		ring_commit(s, &claim, false);
	}
	CHECK_EQ(ring_drain(s, 3), 3);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(ring_claim(s, 1, false, &claim));
		claim.slot->record = r;
		if (i < 2) /* the last one is lost */
			ring_commit(s, &claim, false);
	}
	atomic_store(&s->ring_tail, 2);
	CHECK_EQ(ring_recover(s), SESSION_RING_SLOTS - 3 + 2);
	CHECK_EQ(cpu_samples(s), SESSION_RING_SLOTS + 2);
	CHECK_EQ(session_stat(s, STAT_LOST_DEAD_CLAIMS), 1);
	CHECK_EQ(ring_recover(s), 0);
	session_unlink(s);
	session_close(s);
}

static int open_after(const char *path, uint64_t off, uint64_t word)
{
	struct session *copy = NULL;
	uint64_t old = 0;
	int fd = open(path, O_RDWR), err;

	CHECK(pread(fd, &old, sizeof(old), (off_t)off) == sizeof(old));
	CHECK(pwrite(fd, &word, sizeof(word), (off_t)off) == sizeof(word));
	err = session_open(path, &copy);
	session_close(copy);
	CHECK(pwrite(fd, &old, sizeof(old), (off_t)off) == sizeof(old));
	(void)close(fd);
	return err;
}

TEST(what_is_none_is_named)
{
	char path[SETTINGS_PATH_MAX];
	struct session *s = new_session(), *copy = NULL;
	uint64_t used;

	fill(s);
	used = atomic_load(&s->used);
	let_go(s, path);
	CHECK_EQ(session_open("/nonexistent", &copy), -ENOENT);
	CHECK_EQ(session_open("/proc/self/exe", &copy), SESSION_NONE);
	CHECK_EQ(open_after(path, 0, 0x1234), SESSION_NONE);
	CHECK_EQ(open_after(path, 0, 0), SESSION_UNFINISHED);
	CHECK_EQ(open_after(path, 8, 99), SESSION_OTHER_VERSION);
	CHECK_EQ(open_after(path, offsetof(struct session, state), 0),
		SESSION_UNFINISHED);
	CHECK_EQ(open_after(path, offsetof(struct session, cap), 4096),
		SESSION_DAMAGED);
	CHECK_EQ(open_after(path, offsetof(struct session, ring_off), 1u << 31),
		SESSION_DAMAGED);
	CHECK_EQ(open_after(path, offsetof(struct session, rows.seg), 1u << 31),
		SESSION_DAMAGED);
	CHECK_EQ(open_after(path, offsetof(struct session, live_values.seg), 0),
		SESSION_DAMAGED);
	CHECK_EQ(truncate(path, (off_t)used), 0);
	CHECK_EQ(session_open(path, &copy), 0); /* only a hole is missing */
	session_close(copy);
	CHECK_EQ(truncate(path, (off_t)used - 1), 0);
	CHECK_EQ(session_open(path, &copy), SESSION_CUT);
	CHECK_EQ(truncate(path, 5000), 0);
	CHECK_EQ(session_open(path, &copy), SESSION_CUT);
	CHECK_EQ(truncate(path, 0), 0);
	CHECK_EQ(session_open(path, &copy), SESSION_UNFINISHED);
	CHECK_EQ(unlink(path), 0);
}

/* A file that is cut off after its size was looked at; what lies behind the end
 * is no hole. */
TEST(cut_while_it_is_read_is_cut)
{
	char path[SETTINGS_PATH_MAX];
	struct session *s = new_session(), *copy = NULL;
	struct session_source from;
	uint64_t ring_end, used;

	fill(s);
	used = atomic_load(&s->used);
	ring_end = s->ring_off + s->ring_slots * sizeof(struct ring_slot);
	CHECK(ring_end < used);
	let_go(s, path);
	from = (struct session_source){ open(path, O_RDONLY), 0, used };
	CHECK_EQ(session_read(&from, &copy), 0);
	session_close(copy);
	CHECK_EQ(truncate(path, (off_t)ring_end), 0);
	CHECK_EQ(session_read(&from, &copy), SESSION_CUT);
	CHECK_EQ(close(from.fd), 0);
	CHECK_EQ(unlink(path), 0);
}

TEST(rows_and_records_that_cannot_be_are_left_out)
{
	char path[SETTINGS_PATH_MAX];
	struct session *s = new_session(), *copy = NULL;
	struct ring_slot *slots;

	fill(s);
	CHECK(baton_try(s));
	(void)ring_drain(s, 600);
	baton_release(s);
	rows_get(s, ROW_KINDS + 1)->key.stack = 0x7fffffff;
	rows_get(s, ROW_KINDS + 3)->key.kind = 77;
	for (unsigned i = 0; i < 3; i++)
		ring_push(s,
			(struct record){ .kind = RECORD_CPU,
				.row = row_of(s, ROW_CPU, 0x2001),
				.count = 1 },
			1, false);
	slots = session_at(s, s->ring_off);
	slots[600].record.row = 1u << 30;
	slots[601].record.kind = 1000;
	let_go(s, path);
	CHECK_EQ(session_open(path, &copy), 0);
	if (copy)
		CHECK_EQ(session_stat(copy, STAT_DAMAGED), 4);
	session_close(copy);
	CHECK_EQ(unlink(path), 0);
}

static uint64_t random_state = 12345;

static uint64_t next_random(void)
{
	return pp_mix(random_state += 0x9e3779b97f4a7c15u);
}

static uint64_t bad_word(void)
{
	static const uint64_t words[] = { 0, 1, 0xffffffff, UINT64_MAX,
		UINT64_C(1) << 63, 4096, 0x7fffffff, 1u << 20 };
	uint64_t n = next_random();

	return n % 3 ? words[n / 3 % PP_ARRAY_LEN(words)] : next_random();
}

static void write_reports(struct session *copy)
{
	for (unsigned kind = 0; kind < PROFILE_KINDS; kind++) {
		struct report_request request = {
			.kind = (enum profile_kind)kind
		};
		char path[SETTINGS_PATH_MAX + 64];

		(void)snprintf(copy->settings.output,
			sizeof(copy->settings.output), "%s/out", dir);
		if (report_write(copy, &request, path, sizeof(path)) == 0)
			(void)unlink(path);
	}
}

/* A few words of the file are anything: it is refused, or a report is made of
 * it. Words of the header are met often enough, and so are tables. */
TEST(any_damage_is_survived)
{
	char path[SETTINGS_PATH_MAX];
	struct session *s = new_session();
	uint64_t used;
	char *good, *bad;
	int fd;
	unsigned opened = 0;

	fill(s);
	used = atomic_load(&s->used);
	good = malloc(used);
	bad = malloc(used);
	memcpy(good, s, used);
	let_go(s, path);
	fd = open(path, O_RDWR);
	for (unsigned i = 0; i < 600; i++) {
		struct session *copy = NULL;

		memcpy(bad, good, used);
		for (unsigned n = 1 + next_random() % 8; n; n--) {
			uint64_t span = next_random() % 2 ? 2048 : used;
			uint64_t off = next_random() % (span / 4 - 1) * 4;
			uint64_t word = bad_word();

			memcpy(bad + off, &word, next_random() % 2 ? 8 : 4);
		}
		if (i % 2) { /* so that more than the header is reached */
			memcpy(bad, good, 64);
			memcpy(bad + offsetof(struct session, settings),
				good + offsetof(struct session, settings),
				sizeof(struct settings));
		}
		CHECK(pwrite(fd, bad, used, 0) == (ssize_t)used);
		if (session_open(path, &copy) != 0)
			continue;
		opened++;
		write_reports(copy);
		session_close(copy);
	}
	printf("# %u of 600 opened\n", opened);
	CHECK(opened > 50);
	(void)close(fd);
	free(good);
	free(bad);
	CHECK_EQ(unlink(path), 0);
}

TEST(other_executable_takes_its_place)
{
	char path[SETTINGS_PATH_MAX];
	struct session *s = new_session(), *copy = NULL;

	fill(s);
	let_go(s, path);
	CHECK_EQ(session_open(path, &copy), 0);
	CHECK(session_replace_exe(copy, "/some/where"));
	CHECK(strcmp(module_path(copy, modules_get(copy, 1)), "/some/where") ==
		0);
	CHECK(strcmp(copy->exe_path, "/some/where") == 0);
	session_close(copy);
	CHECK_EQ(unlink(path), 0);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	RUN(copy_has_everything_and_file_stays);
	RUN(slot_claimed_anew_before_tail_moved);
	RUN(what_is_none_is_named);
	RUN(cut_while_it_is_read_is_cut);
	RUN(rows_and_records_that_cannot_be_are_left_out);
	RUN(any_damage_is_survived);
	RUN(other_executable_takes_its_place);
	(void)rmdir(dir);
	return test_done();
}
