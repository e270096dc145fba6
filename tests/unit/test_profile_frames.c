/*
 * test_profile_frames.c - the frames, names and labels of whole reports, read
 * back by go tool pprof.
 */
#include "pp.h"

#include "profiles_by_hand.h"

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
	CHECK(strstr(strstr(text, "Mappings\n1: "), "test_profile_frames") !=
		NULL);
	run("go tool pprof -top", path);
	CHECK(has("File: test_profile_frames\n"));
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
	CHECK(has("File: test_profile_frames\nBuild ID: "));
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

int main(void)
{
	begin_profiles();
	RUN(our_own_frames_are_not_shown);
	RUN(allocator_frames_go_but_never_the_whole_stack);
	RUN(frames_of_ours_have_names_and_a_mapping);
	RUN(program_comes_first_even_if_it_was_never_seen);
	RUN(code_without_a_name_has_no_line);
	RUN(file_that_changed_gives_no_names_and_a_comment);
	RUN(thread_names_are_made_fit_for_json);
	RUN(names_can_be_left_out_but_stripping_still_works);
	end_profiles();
	return test_done();
}
