/*
 * test_config.c - the table of variables: what is accepted, what is refused,
 * what the settings are then.
 */
#include "pp.h"

#include "settings_read.h"

TEST(defaults_pass_their_own_checks)
{
	for (size_t i = 0; i < config_count; i++)
		CHECK(accepts(config_table[i].name, config_table[i].fallback));
}

TEST(every_row_has_its_texts)
{
	for (size_t i = 0; i < config_count; i++) {
		const struct config_variable *v = &config_table[i];

		CHECK(strncmp(v->name, "PPROFC_", 7) == 0);
		CHECK(*v->value && *v->fallback && *v->accepted);
		CHECK(v->help[strlen(v->help) - 1] == '.');
		CHECK(v->parse != NULL);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(config_table[j].name, v->name) != 0);
	}
}

TEST(empty_environment_gives_documented_defaults)
{
	READ(NULL);
	CHECK_EQ(said_count, 0);
	CHECK_EQ(got.profiles, PROFILE_BIT(PROFILE_CPU) |
				       PROFILE_BIT(PROFILE_HEAP) |
				       PROFILE_BIT(PROFILE_MUTEX) |
				       PROFILE_BIT(PROFILE_BLOCK));
	CHECK_EQ(got.cpu_hz, 100);
	CHECK_EQ(got.heap_rate, 524288);
	CHECK_EQ(got.memory_bytes, 256 << 20);
	CHECK_EQ(got.max_depth, 128);
	CHECK_EQ(got.interval_s, 0);
	CHECK_EQ(got.keep, 0);
	CHECK_EQ(got.dump_signal, SIGUSR2);
	CHECK_EQ(got.dump_signal_named, 0);
	CHECK_EQ(got.toggle_signal, 0);
	CHECK_EQ(got.tid, 0);
	CHECK_EQ(got.follow, 1);
	CHECK_EQ(got.symbols, SYMBOLS_LINES);
	CHECK_EQ(got.symbols_wait_s, 0);
	CHECK_EQ(got.session_place, SESSION_AUTO);
	CHECK_EQ(got.log_place, LOG_NONE);
	CHECK_EQ(got.unwinder, UNWINDER_OWN);
	CHECK(got.status_path[0] == '\0');
}

TEST(empty_value_counts_as_not_set)
{
	for (size_t i = 0; i < config_count; i++) {
		READ(config_table[i].name, "");
		CHECK_EQ(said_count, 0);
	}
}

TEST(numbers_keep_to_their_range)
{
	static const char *const bad[] = { "0", "10001", "-1", "+5", " 5", "5 ",
		"5x", "0x10", "1e3", "1.5", "ten", "18446744073709551617" };

	for (size_t i = 0; i < PP_ARRAY_LEN(bad); i++)
		CHECK(!accepts("PPROFC_CPU_HZ", bad[i]));
	CHECK(accepts("PPROFC_CPU_HZ", "1"));
	CHECK(accepts("PPROFC_CPU_HZ", "10000"));
	CHECK(accepts("PPROFC_MAX_DEPTH", "2"));
	CHECK(accepts("PPROFC_MAX_DEPTH", "1024"));
	CHECK(!accepts("PPROFC_MAX_DEPTH", "1"));
	CHECK(!accepts("PPROFC_MAX_DEPTH", "1025"));
	CHECK(accepts("PPROFC_INTERVAL", "0"));
	CHECK(!accepts("PPROFC_INTERVAL", "31536001"));
	CHECK(!accepts("PPROFC_KEEP", "1000001"));
}

TEST(sizes_take_binary_suffixes)
{
	READ("PPROFC_HEAP_RATE", "4k", "PPROFC_MEMORY", "64M");
	CHECK_EQ(got.heap_rate, 4096);
	CHECK_EQ(got.memory_bytes, 64 << 20);
	READ("PPROFC_HEAP_RATE", "1g");
	CHECK_EQ(got.heap_rate, 1 << 30);
	CHECK(!accepts("PPROFC_HEAP_RATE", "2g"));
	CHECK(!accepts("PPROFC_HEAP_RATE", "1073741825"));
	CHECK(!accepts("PPROFC_HEAP_RATE", "k"));
	CHECK(!accepts("PPROFC_HEAP_RATE", "1kb"));
	CHECK(!accepts("PPROFC_HEAP_RATE", "18014398509481984k"));
	CHECK(accepts("PPROFC_MEMORY", "1m"));
	CHECK(!accepts("PPROFC_MEMORY", "1023k"));
	CHECK(!accepts("PPROFC_MEMORY", "65g"));
}

TEST(profiles_are_a_list_of_known_names)
{
	READ("PPROFC_PROFILES", "heap_peak,allocs");
	CHECK_EQ(got.profiles,
		PROFILE_BIT(PROFILE_HEAP_PEAK) | PROFILE_BIT(PROFILE_ALLOCS));
	READ("PPROFC_PROFILES", "cpu,cpu");
	CHECK_EQ(got.profiles, PROFILE_BIT(PROFILE_CPU));
	CHECK(!accepts("PPROFC_PROFILES", "cpu,heep"));
	CHECK(strstr(said[0], "\"heep\"") != NULL);
	CHECK(!accepts("PPROFC_PROFILES", "cpu,"));
	CHECK(!accepts("PPROFC_PROFILES", ",cpu"));
	CHECK(!accepts("PPROFC_PROFILES", "none,cpu"));
	CHECK(!accepts("PPROFC_PROFILES", "CPU"));
	CHECK(!accepts("PPROFC_PROFILES", "cpu heap"));
}

TEST(none_is_dormant_but_for_named_signals)
{
	READ("PPROFC_PROFILES", "none", "PPROFC_INTERVAL", "5");
	CHECK_EQ(got.profiles, 0);
	CHECK_EQ(got.dump_signal, 0);
	CHECK_EQ(got.interval_s, 0);
	READ("PPROFC_PROFILES", "none", "PPROFC_SIGNAL", "USR1",
		"PPROFC_TOGGLE_SIGNAL", "URG");
	CHECK_EQ(got.dump_signal, SIGUSR1);
	CHECK_EQ(got.dump_signal_named, 1);
	CHECK_EQ(got.toggle_signal, SIGURG);
}

TEST(heap_rate_zero_leaves_no_heap_profile)
{
	READ("PPROFC_HEAP_RATE", "0", "PPROFC_PROFILES",
		"cpu,heap,allocs,heap_peak");
	CHECK_EQ(got.profiles, PROFILE_BIT(PROFILE_CPU));
}

TEST(signals_by_name_and_number)
{
	READ("PPROFC_SIGNAL", "SIGUSR1");
	CHECK_EQ(got.dump_signal, SIGUSR1);
	READ("PPROFC_SIGNAL", "usr1");
	CHECK_EQ(got.dump_signal, SIGUSR1);
	READ("PPROFC_SIGNAL", "10");
	CHECK_EQ(got.dump_signal, 10);
	READ("PPROFC_SIGNAL", "RTMIN");
	CHECK_EQ(got.dump_signal, SIGRTMIN);
	READ("PPROFC_SIGNAL", "SIGRTMIN+3");
	CHECK_EQ(got.dump_signal, SIGRTMIN + 3);
	READ("PPROFC_SIGNAL", "none");
	CHECK_EQ(got.dump_signal, 0);
	CHECK_EQ(got.dump_signal_named, 0);
}

TEST(unfit_signals_are_refused)
{
	static const char *const bad[] = { "KILL", "STOP", "9", "19", "SEGV",
		"SIGBUS", "FPE", "ILL", "TRAP", "ABRT", "11", "SYS", "32", "33",
		"64", "65", "0", "-10", "RTMIN+30", "RTMIN+", "RTMIN3",
		"RTMIN+99999999999999999999", "SIG", "USR3", "NONE" };

	for (size_t i = 0; i < PP_ARRAY_LEN(bad); i++) {
		CHECK(!accepts("PPROFC_SIGNAL", bad[i]));
		CHECK(!accepts("PPROFC_TOGGLE_SIGNAL", bad[i]));
	}
}

TEST(one_signal_cannot_mean_two_things)
{
	READ("PPROFC_TOGGLE_SIGNAL", "USR2");
	CHECK_EQ(said_count, 1);
	CHECK_EQ(got.toggle_signal, 0);
	CHECK_EQ(got.dump_signal, SIGUSR2);
	READ("PPROFC_TOGGLE_SIGNAL", "USR2", "PPROFC_SIGNAL", "none");
	CHECK_EQ(said_count, 0);
	CHECK_EQ(got.toggle_signal, SIGUSR2);
}

static void expect_output(const char *value, const char *wanted)
{
	READ("PPROFC_OUTPUT", value);
	CHECK_EQ(said_count, 0);
	if (strcmp(got.output, wanted) != 0) {
		printf("# \"%s\" gives \"%s\", expected \"%s\"\n", value,
			got.output, wanted);
		CHECK(false);
	}
}

/* A working directory with a percent sign must come back as itself. */
TEST(output_is_made_absolute)
{
	char wanted[256], dir[256];

	(void)snprintf(dir, sizeof(dir), "%s/50%%p", scratch);
	CHECK_EQ(mkdir(dir, 0700), 0);
	CHECK_EQ(chdir(dir), 0);
	(void)snprintf(wanted, sizeof(wanted), "%s/50%%%%p/x.%%k", scratch);
	expect_output("x.%k", wanted);
	expect_output("/x.%k", "/x.%k");
	CHECK_EQ(chdir("/"), 0);
	expect_output("x", "/x");
	(void)rmdir(dir);
}

TEST(output_directory_means_default_name_inside)
{
	char wanted[256], value[256];

	(void)snprintf(wanted, sizeof(wanted), "%s/%%e.%%p.%%k.pb.gz", scratch);
	expect_output(scratch, wanted);
	(void)snprintf(value, sizeof(value), "%s/", scratch);
	expect_output(value, wanted);
	expect_output("/nowhere/%p/", "/nowhere/%p/%e.%p.%k.pb.gz");
	(void)snprintf(value, sizeof(value), "%s/%%p", scratch);
	CHECK_EQ(mkdir(value, 0700), 0);
	expect_output(value, value); /* a template, whatever exists */
	(void)rmdir(value);
	(void)snprintf(value, sizeof(value), "%s/a%%b", scratch);
	CHECK_EQ(mkdir(value, 0700), 0);
	(void)snprintf(value, sizeof(value), "%s/a%%%%b", scratch);
	(void)snprintf(
		wanted, sizeof(wanted), "%s/a%%%%b/%%e.%%p.%%k.pb.gz", scratch);
	expect_output(value, wanted);
	(void)snprintf(value, sizeof(value), "%s/a%%b", scratch);
	(void)rmdir(value);
}

TEST(output_survives_a_removed_directory)
{
	char dir[256];

	(void)snprintf(dir, sizeof(dir), "%s/gone", scratch);
	CHECK_EQ(mkdir(dir, 0700), 0);
	CHECK_EQ(chdir(dir), 0);
	CHECK_EQ(rmdir(dir), 0);
	expect_output("x", "./x");
	CHECK_EQ(chdir("/"), 0);
}

TEST(bad_templates_are_refused)
{
	static char longest[SETTINGS_PATH_MAX + 1];

	CHECK(!accepts("PPROFC_OUTPUT", "a.%q"));
	CHECK(strstr(said[0], "%q") != NULL);
	CHECK(!accepts("PPROFC_OUTPUT", "a%"));
	CHECK(!accepts("PPROFC_OUTPUT", "%%%"));
	CHECK(accepts("PPROFC_OUTPUT", "%e%p%k%n%t%h%%"));
	memset(longest, 'x', SETTINGS_PATH_MAX);
	longest[0] = '/';
	CHECK(!accepts("PPROFC_OUTPUT", longest));
	longest[SETTINGS_PATH_MAX - 1] = '\0';
	CHECK(accepts("PPROFC_OUTPUT", longest));
	longest[SETTINGS_PATH_MAX - 2] = '/'; /* no room for the name */
	CHECK(!accepts("PPROFC_OUTPUT", longest));
}

TEST(words_are_exact)
{
	CHECK(accepts("PPROFC_TID", "yes"));
	CHECK(!accepts("PPROFC_TID", "1"));
	CHECK(!accepts("PPROFC_FOLLOW", "No"));
	CHECK(!accepts("PPROFC_SYMBOLS", "line"));
	CHECK(!accepts("PPROFC_UNWINDER", "gcc"));
	READ("PPROFC_TID", "yes", "PPROFC_FOLLOW", "no", "PPROFC_SYMBOLS",
		"none", "PPROFC_UNWINDER", "libunwind");
	CHECK_EQ(got.tid, 1);
	CHECK_EQ(got.follow, 0);
	CHECK_EQ(got.symbols, SYMBOLS_NONE);
	CHECK_EQ(got.unwinder, UNWINDER_LIBUNWIND);
}

TEST(session_and_log_take_words_or_paths)
{
	CHECK_EQ(chdir("/"), 0);
	READ("PPROFC_SESSION", "tmp", "PPROFC_LOG", "tmp/pprofc.log");
	CHECK_EQ(said_count, 0);
	CHECK_EQ(got.session_place, SESSION_DIR);
	CHECK(strcmp(got.session_dir, "/tmp") == 0);
	CHECK_EQ(got.log_place, LOG_FILE);
	CHECK(strcmp(got.log_path, "/tmp/pprofc.log") == 0);
	READ("PPROFC_SESSION", "anonymous", "PPROFC_LOG", "stderr");
	CHECK_EQ(got.session_place, SESSION_ANONYMOUS);
	CHECK_EQ(got.log_place, LOG_STDERR);
	CHECK(!accepts("PPROFC_SESSION", "/nowhere/at/all"));
	CHECK(!accepts("PPROFC_LOG", "/tmp"));
	CHECK(!accepts("PPROFC_LOG", "/tmp/x/"));
}

int main(void)
{
	if (!mkdtemp(scratch))
		return 1;
	RUN(defaults_pass_their_own_checks);
	RUN(every_row_has_its_texts);
	RUN(empty_environment_gives_documented_defaults);
	RUN(empty_value_counts_as_not_set);
	RUN(numbers_keep_to_their_range);
	RUN(sizes_take_binary_suffixes);
	RUN(profiles_are_a_list_of_known_names);
	RUN(none_is_dormant_but_for_named_signals);
	RUN(heap_rate_zero_leaves_no_heap_profile);
	RUN(signals_by_name_and_number);
	RUN(unfit_signals_are_refused);
	RUN(one_signal_cannot_mean_two_things);
	RUN(output_is_made_absolute);
	RUN(output_directory_means_default_name_inside);
	RUN(output_survives_a_removed_directory);
	RUN(bad_templates_are_refused);
	RUN(words_are_exact);
	RUN(session_and_log_take_words_or_paths);
	(void)rmdir(scratch);
	return test_done();
}
