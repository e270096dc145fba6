/*
 * test_output.c - names of profile files, and files whole or not at all.
 */
#include "pp.h"

#include "output_files.h"

static void expands(const char *template, unsigned profiles, uint32_t number,
	bool forked, const char *expected)
{
	struct output_name name = name_of(template, profiles, number);
	char buf[200];

	set.forked = forked;
	CHECK_EQ(output_expand(&name, buf, sizeof(buf)), 0);
	if (strcmp(buf, expected) != 0) {
		printf("# %s gives %s, not %s\n", template, buf, expected);
		CHECK(!"the expected name");
	}
}

TEST(template_fields_are_filled_in)
{
	expands("/d/%e.%p.%k.pb.gz", TWO, 0, false, "/d/app.77.heap.pb.gz");
	expands("/d/%h-%t-%%-%n.pb.gz", ONE, 5, false,
		"/d/box-1700000000-%-5.pb.gz");
	expands("/d/%n.pb.gz", ONE, 0, false, "/d/0.pb.gz");
	expands("/d/100%", ONE, 0, false, "/d/100%");
}

TEST(kind_number_and_pid_are_added_where_missing)
{
	expands("/d/x.pb.gz", ONE, 0, false, "/d/x.pb.gz");
	expands("/d/x.pb.gz", TWO, 0, false, "/d/x.heap.pb.gz");
	expands("/d/x.pb.gz", TWO, 3, false, "/d/x.heap.3.pb.gz");
	expands("/d/x.%n.pb.gz", TWO, 3, false, "/d/x.3.heap.pb.gz");
	expands("/d/x.pb.gz", ONE, 3, true, "/d/x.77.3.pb.gz");
	expands("/d/x.%p.pb.gz", ONE, 3, true, "/d/x.77.3.pb.gz");
	expands("/d/x.%%p.pb.gz", ONE, 0, true, "/d/x.%p.77.pb.gz");
	expands("/d/x.prof", TWO, 2, false, "/d/x.prof.heap.2");
}

TEST(name_that_does_not_fit_is_refused)
{
	struct output_name name = name_of("/0123456789", ONE, 0);
	char buf[12];

	CHECK_EQ(output_expand(&name, buf, 12), 0);
	CHECK_EQ(output_expand(&name, buf, 11), -ENAMETOOLONG);
}

TEST(slash_in_a_name_stays_in_its_directory)
{
	struct output_name name = name_of("/d/%e", ONE, 0);
	char buf[64];

	(void)snprintf(set.program, sizeof(set.program), "../x");
	CHECK_EQ(output_expand(&name, buf, sizeof(buf)), 0);
	CHECK(strcmp(buf, "/d/.._x") == 0);
}

TEST(file_appears_whole_with_its_parents_and_the_umask)
{
	struct output_name name;
	struct output o;
	struct stat st;
	mode_t old = umask(027);

	fresh_dir();
	name = name_of(at("a/b/x.pb.gz"), ONE, 0);
	CHECK_EQ(output_begin(&o, &name), 0);
	CHECK_EQ(output_write(&o, "text", 4), 0);
	CHECK(access(at("a/b/x.pb.gz"), F_OK) != 0);
	CHECK(access(at("a/b/x.pb.gz.tmp"), F_OK) == 0);
	CHECK_EQ(output_commit(&o), 0);
	CHECK(holds(at("a/b/x.pb.gz"), "text"));
	CHECK_EQ(files_in(at("a/b")), 1);
	CHECK_EQ(stat(at("a/b/x.pb.gz"), &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0640);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(stat(at("a"), &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0750);
	(void)umask(old);
}

TEST(existing_files_are_never_replaced)
{
	struct output_name name;
	char path[2000];

	fresh_dir();
	put_file(at("x.pb.gz"), "theirs");
	put_file(at("x-2.pb.gz"), "theirs, too");
	CHECK_EQ(symlink("nowhere", at("x-3.pb.gz")), 0);
	name = name_of(at("x.pb.gz"), ONE, 0);
	CHECK_EQ(write_text(&name, "ours", path), 0);
	CHECK(strcmp(path, at("x-4.pb.gz")) == 0);
	CHECK(holds(path, "ours"));
	CHECK(holds(at("x.pb.gz"), "theirs"));
	CHECK(holds(at("x-2.pb.gz"), "theirs, too"));
	CHECK_EQ(files_in(dir), 4);
}

TEST(leftover_temporary_file_is_neither_used_nor_followed)
{
	struct output_name name;

	fresh_dir();
	put_file(at("victim"), "precious");
	CHECK_EQ(symlink("victim", at("x.pb.gz.tmp")), 0);
	name = name_of(at("x.pb.gz"), ONE, 0);
	CHECK_EQ(write_text(&name, "ours", NULL), 0);
	CHECK(holds(at("victim"), "precious"));
	CHECK(holds(at("x.pb.gz"), "ours"));
	CHECK_EQ(files_in(dir), 3);
}

TEST(abort_leaves_nothing)
{
	struct output_name name;
	struct output o;

	fresh_dir();
	name = name_of(at("x.pb.gz"), ONE, 0);
	CHECK_EQ(output_begin(&o, &name), 0);
	CHECK_EQ(output_write(&o, "text", 4), 0);
	output_abort(&o);
	CHECK_EQ(files_in(dir), 0);
}

TEST(impossible_places_are_errors_and_leave_nothing)
{
	struct output_name name;

	fresh_dir();
	put_file(at("file"), "x");
	name = name_of(at("file/x.pb.gz"), ONE, 0);
	CHECK_EQ(write_text(&name, "ours", NULL), -ENOTDIR);
	CHECK_EQ(mkdir(at("x.pb.gz"), 0755), 0);
	name = name_of(at("x.pb.gz"), ONE, 0); /* a directory has the name */
	CHECK_EQ(write_text(&name, "ours", NULL), 0);
	CHECK(holds(at("x-2.pb.gz"), "ours"));
	name = name_of("/proc/self/x.pb.gz", ONE, 0);
	CHECK(write_text(&name, "ours", NULL) < 0);
	name = name_of("/dev/null/x.pb.gz", ONE, 0);
	CHECK_EQ(write_text(&name, "ours", NULL), -ENOTDIR);
	CHECK_EQ(files_in(dir), 3);
}

/* The host closes all descriptors and opens a file of its own, which gets the
 * number of ours. */
TEST(file_of_the_host_under_our_number_is_left_alone)
{
	struct output_name name;
	struct output o;
	int number, fd;

	fresh_dir();
	name = name_of(at("x.pb.gz"), ONE, 0);
	CHECK_EQ(output_begin(&o, &name), 0);
	CHECK_EQ(output_write(&o, "ours", 4), 0);
	number = o.file.fd;
	put_file(at("host"), "theirs");
	fd = open(at("host"), O_RDWR);
	CHECK_EQ(dup2(fd, number), number);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(output_write(&o, "ours", 4), -EBADF);
	output_abort(&o);
	CHECK(holds(at("host"), "theirs"));
	CHECK_EQ(fcntl(number, F_GETFD), 0); /* still open */
	CHECK_EQ(close(number), 0);
	CHECK_EQ(files_in(dir), 1);
	CHECK_EQ(output_begin(&o, &name), 0);
	CHECK_EQ(close(o.file.fd), 0);
	CHECK_EQ(output_commit(&o), -EBADF);
	CHECK_EQ(files_in(dir), 1);
}

/* --- keep ---------------------------------------------------------------- */

static void write_numbered(
	const char *template, uint32_t from, uint32_t to, uint32_t keep)
{
	for (uint32_t i = from; i <= to; i++) {
		struct output_name name = name_of(template, ONE, i);

		CHECK_EQ(write_text(&name, "ours", NULL), 0);
		output_keep(&name, keep);
	}
}

TEST(keep_leaves_the_newest)
{
	char template[100];

	fresh_dir();
	strcpy(template, at("k.pb.gz"));
	write_numbered(template, 1, 10, 3);
	CHECK_EQ(files_in(dir), 3);
	CHECK(holds(at("k.8.pb.gz"), "ours"));
	CHECK(holds(at("k.10.pb.gz"), "ours"));
	write_numbered(template, 11, 12, 0); /* 0 = all */
	CHECK_EQ(files_in(dir), 5);
}

TEST(keep_deletes_no_file_of_others)
{
	struct output_name name;
	char template[100];
	struct output o;

	fresh_dir();
	strcpy(template, at("o.pb.gz"));
	put_file(at("o.1.pb.gz"), "theirs");
	put_file(at("o.2.pb.gz"), "theirs");
	write_numbered(template, 1, 1, 2); /* becomes o.1-2.pb.gz */
	name = name_of(template, ONE, 2);  /* number 2 fails */
	CHECK_EQ(output_begin(&o, &name), 0);
	output_abort(&o);
	write_numbered(template, 3, 8, 2);
	CHECK(holds(at("o.1.pb.gz"), "theirs"));
	CHECK(holds(at("o.2.pb.gz"), "theirs"));
	CHECK(access(at("o.1-2.pb.gz"), F_OK) != 0);
	CHECK_EQ(files_in(dir), 4);
}

int main(void)
{
	begin_output();
	RUN(template_fields_are_filled_in);
	RUN(kind_number_and_pid_are_added_where_missing);
	RUN(name_that_does_not_fit_is_refused);
	RUN(slash_in_a_name_stays_in_its_directory);
	RUN(file_appears_whole_with_its_parents_and_the_umask);
	RUN(existing_files_are_never_replaced);
	RUN(leftover_temporary_file_is_neither_used_nor_followed);
	RUN(abort_leaves_nothing);
	RUN(impossible_places_are_errors_and_leave_nothing);
	RUN(file_of_the_host_under_our_number_is_left_alone);
	RUN(keep_leaves_the_newest);
	RUN(keep_deletes_no_file_of_others);
	end_output();
	return test_done();
}
