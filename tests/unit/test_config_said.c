/*
 * test_config_said.c - settings that depend on more than one value, and what is
 * said where one is bad.
 */
#include "pp.h"

#include "settings_read.h"

TEST(program_pattern_decides_who_is_meant)
{
	READ("PPROFC_PROGRAM", "test_c*");
	CHECK(got.profiles != 0);
	READ("PPROFC_PROGRAM", "python3*", "PPROFC_SIGNAL", "USR1",
		"PPROFC_TOGGLE_SIGNAL", "USR2", "PPROFC_INTERVAL", "1");
	CHECK_EQ(got.profiles, 0);
	CHECK_EQ(got.dump_signal, 0);
	CHECK_EQ(got.toggle_signal, 0);
	CHECK_EQ(got.interval_s, 0);
}

/* The first line of a file; "" when there is none. */
static const char *line_in(const char *path)
{
	static char line[256];
	FILE *in = fopen(path, "r");

	line[0] = '\0';
	if (in && !fgets(line, sizeof(line), in))
		line[0] = '\0';
	if (in)
		(void)fclose(in);
	return line;
}

static void make_empty(const char *path)
{
	FILE *out = fopen(path, "w");

	CHECK(out != NULL);
	if (out)
		(void)fclose(out);
}

/* `pprofc run` has ended: its file is gone, and the place may be anybody's. */
TEST(a_status_file_is_not_made_nor_a_link_followed)
{
	char path[256], victim[256];

	(void)snprintf(path, sizeof(path), "%s/status", scratch);
	(void)snprintf(victim, sizeof(victim), "%s/victim", scratch);
	READ("PPROFC_PROGRAM", "other", "PPROFC_STATUS", path);
	CHECK(access(path, F_OK) != 0);
	make_empty(victim);
	CHECK(symlink(victim, path) == 0);
	READ("PPROFC_PROGRAM", "other", "PPROFC_STATUS", path);
	CHECK(strcmp(line_in(victim), "") == 0);
	(void)unlink(path);
	(void)unlink(victim);
}

TEST(program_pattern_takes_the_typed_name_and_says_why_not)
{
	char *name = program_invocation_short_name;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/status", scratch);
	make_empty(path);
	program_invocation_short_name = (char *)(uintptr_t) "typed";
	READ("PPROFC_PROGRAM", "ty*", "PPROFC_STATUS", path);
	CHECK(got.profiles != 0);
	CHECK(strcmp(line_in(path), "") == 0);
	READ("PPROFC_PROGRAM", "test_config_said", "PPROFC_STATUS", path);
	CHECK(got.profiles != 0);
	READ("PPROFC_PROGRAM", "other", "PPROFC_STATUS", path);
	CHECK_EQ(got.profiles, 0);
	CHECK(strstr(line_in(path), "]: PPROFC_PROGRAM does not match "
				    "test_config_said, started as typed\n"));
	program_invocation_short_name = name;
	(void)unlink(path);
}

TEST(default_dump_signal_needs_a_heap_profile)
{
	READ("PPROFC_PROFILES", "cpu");
	CHECK_EQ(got.dump_signal, 0);
	READ("PPROFC_HEAP_RATE", "0", "PPROFC_PROFILES", "cpu,heap");
	CHECK_EQ(got.dump_signal, 0);
	CHECK(got.profiles != 0);
	READ("PPROFC_PROFILES", "cpu", "PPROFC_SIGNAL", "USR2");
	CHECK_EQ(got.dump_signal, SIGUSR2);
	READ("PPROFC_PROFILES", "heap_peak");
	CHECK_EQ(got.dump_signal, SIGUSR2);
}

TEST(log_that_cannot_be_written_is_refused)
{
	char path[256];

	CHECK(!accepts("PPROFC_LOG", "/nonexistent/x"));
	CHECK(strstr(said[0], "cannot be opened for appending") != NULL);
	READ("PPROFC_LOG", "/nonexistent/x");
	CHECK_EQ(said_count, 1);
	CHECK_EQ(got.log_place, LOG_NONE);
	(void)snprintf(path, sizeof(path), "%s/log", scratch);
	CHECK(accepts("PPROFC_LOG", path));
	CHECK(access(path, F_OK) != 0); /* only looked at */
	CHECK(accepts("PPROFC_LOG", "/dev/null"));
	CHECK(accepts("PPROFC_LOG", "/dev/stderr"));
	(void)snprintf(path, sizeof(path), "%s/log/below", scratch);
	CHECK(!accepts("PPROFC_LOG", path));
}

TEST(rate_is_capped_at_the_tick)
{
	struct timespec tick;
	int64_t hz;

	CHECK_EQ(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
	hz = 1000000000 / tick.tv_nsec;
	READ("PPROFC_CPU_HZ", "10000");
	CHECK_EQ(said_count, 0);
	CHECK_EQ(got.cpu_hz, hz);
	READ("PPROFC_CPU_HZ", "99");
	CHECK_EQ(got.cpu_hz, 99);
}

TEST(bad_value_names_variable_value_and_what_is_accepted)
{
	READ("PPROFC_CPU_HZ", "fa\nst");
	CHECK_EQ(said_count, 1);
	CHECK_EQ(got.cpu_hz, 100);
	CHECK(strcmp(said[0], "PPROFC_CPU_HZ=fa?st is not accepted; give a "
			      "whole number from 1 to 10000 (using the "
			      "default, 100)") == 0);
}

TEST(long_bad_value_still_fits_one_line)
{
	static char huge[100000];

	memset(huge, '%', sizeof(huge) - 1);
	for (size_t i = 0; i < config_count; i++) {
		bool good = accepts(config_table[i].name, huge);

		if (strcmp(config_table[i].name, "PPROFC_PROGRAM") == 0)
			continue;
		CHECK(!good);
		CHECK(strlen(said[0]) < sizeof(said[0]) - 1);
		CHECK(strstr(said[0], "...") != NULL);
	}
}

/* Two bad variables are two lines; a child hears nothing, but still falls back
 * to the defaults. The environment keeps its length. */
TEST(children_do_not_complain_again)
{
	unsigned entries = 0;

	READ("PPROFC_CPU_HZ", "x", "PPROFC_KEEP", "y", "HOME", "/");
	CHECK_EQ(said_count, 2);
	CHECK(getenv("PPROFC_COMPLAINED") != NULL);
	for (char **e = environ; *e; e++)
		entries++;
	CHECK_EQ(entries, 3);
	said_count = 0;
	got = (struct settings){ 0 };
	config_read(&got, hear, NULL);
	CHECK_EQ(said_count, 0);
	CHECK_EQ(got.cpu_hz, 100);
	CHECK_EQ(got.keep, 0);
}

TEST(nothing_bad_leaves_the_environment_alone)
{
	READ("PPROFC_CPU_HZ", "50");
	CHECK(getenv("PPROFC_COMPLAINED") == NULL);
	CHECK(strcmp(getenv("PPROFC_CPU_HZ"), "50") == 0);
}

TEST(status_path_must_be_absolute)
{
	READ("PPROFC_STATUS", "/tmp/s");
	CHECK(strcmp(got.status_path, "/tmp/s") == 0);
	READ("PPROFC_STATUS", "s");
	CHECK(got.status_path[0] == '\0');
}

TEST(unknown_name_is_reported)
{
	CHECK(!accepts("PPROFC_CPUHZ", "1"));
	CHECK_EQ(said_count, 1);
}

int main(void)
{
	if (!mkdtemp(scratch))
		return 1;
	RUN(program_pattern_decides_who_is_meant);
	RUN(a_status_file_is_not_made_nor_a_link_followed);
	RUN(program_pattern_takes_the_typed_name_and_says_why_not);
	RUN(default_dump_signal_needs_a_heap_profile);
	RUN(log_that_cannot_be_written_is_refused);
	RUN(rate_is_capped_at_the_tick);
	RUN(bad_value_names_variable_value_and_what_is_accepted);
	RUN(long_bad_value_still_fits_one_line);
	RUN(children_do_not_complain_again);
	RUN(nothing_bad_leaves_the_environment_alone);
	RUN(status_path_must_be_absolute);
	RUN(unknown_name_is_reported);
	(void)rmdir(scratch);
	return test_done();
}
