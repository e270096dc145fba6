/*
 * test_profile.c - which samples and values a report holds, and its file: whole
 * reports from sessions made by hand, read back by protoc and go tool pprof.
 */
#include "pp.h"

#include "profiles_by_hand.h"

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

int main(void)
{
	begin_profiles();
	RUN(cpu_profile_holds_what_was_pushed);
	RUN(heap_profile_takes_in_use_from_the_live_table);
	RUN(allocs_differs_from_heap_by_its_default_only);
	RUN(heap_peak_is_the_moment_of_the_most_bytes);
	RUN(earlier_copy_of_in_use_is_what_is_written);
	RUN(log_says_how_many_samples_not_rows);
	RUN(without_samples_no_file_is_made);
	RUN(window_holds_what_came_since_the_last_one);
	RUN(numbers_count_up_and_the_newest_are_kept);
	RUN(place_that_cannot_be_written_is_counted);
	end_profiles();
	return test_done();
}
