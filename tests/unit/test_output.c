/* test_output.c - names of profile files, and files whole or not at all. */
#include "pp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "output.h"

#include "test.h"

static char dir[64];
static struct settings set;

static struct output_name name_of(
	const char *template, unsigned profiles, uint32_t number)
{
	memset(&set, 0, sizeof(set));
	(void)snprintf(set.output, sizeof(set.output), "%s", template);
	(void)snprintf(set.program, sizeof(set.program), "app");
	(void)snprintf(set.host, sizeof(set.host), "box");
	set.profiles = profiles;
	return (struct output_name){ .settings = &set,
		.kind = PROFILE_HEAP,
		.pid = 77,
		.number = number,
		.start_s = 1700000000 };
}

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

#define ONE PROFILE_BIT(PROFILE_HEAP)
#define TWO (ONE | PROFILE_BIT(PROFILE_CPU))

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

/* --- files --------------------------------------------------------------- */

static const char *at(const char *file)
{
	static char path[2][200];
	static unsigned turn;

	turn ^= 1;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, file);
	return path[turn];
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	if (!f)
		return;
	CHECK(fputs(text, f) >= 0);
	CHECK_EQ(fclose(f), 0);
}

static bool holds(const char *path, const char *text)
{
	char buf[100] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	(void)fclose(f);
	return strcmp(buf, text) == 0;
}

static unsigned files_in(const char *path)
{
	unsigned n = 0;
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n;
}

static void fresh_dir(void)
{
	char cmd[100];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	CHECK_EQ(system(cmd), 0);
	CHECK_EQ(mkdir(dir, 0755), 0);
}

static int write_text(
	const struct output_name *name, const char *text, char *ret_path)
{
	struct output o;
	int err = output_begin(&o, name);

	if (err)
		return err;
	err = output_write(&o, text, strlen(text));
	if (err) {
		output_abort(&o);
		return err;
	}
	err = output_commit(&o);
	if (!err && ret_path)
		strcpy(ret_path, o.path);
	return err;
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

/* In a child: another user, to whom a directory can be closed. */
static int try_unwritable(void)
{
	struct output_name name = name_of(at("closed/x.pb.gz"), ONE, 0);

	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		return 1;
	return write_text(&name, "ours", NULL) == -EACCES ? 0 : 2;
}

/* A small limit on file sizes must be an error, not a signal. */
static int try_size_limit(void)
{
	struct output_name name = name_of(at("x.pb.gz"), ONE, 0);
	struct rlimit lim = { 6, 6 };

	(void)signal(SIGXFSZ, SIG_DFL);
	if (setrlimit(RLIMIT_FSIZE, &lim) != 0)
		return 1;
	return write_text(&name, "seven !", NULL) == -EFBIG &&
			       write_text(&name, "six !!", NULL) == 0
		       ? 0
		       : 2;
}

/* A file system of one page: the second does not fit. */
static int try_full_disk(void)
{
	static char text[3 * PP_PAGE];
	struct output_name name = name_of(at("full/x.pb.gz"), ONE, 0);
	int result = 0;

	memset(text, 'x', sizeof(text) - 1);
	if (mount("none", at("full"), "tmpfs", 0, "size=4k") != 0)
		return 77;
	if (write_text(&name, text, NULL) != -ENOSPC)
		result = 2;
	else if (files_in(at("full")) != 0)
		result = 3;
	return umount(at("full")) == 0 ? result : 4;
}

/* From here on the system call fails with this error. */
static bool forbid(int nr, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { PP_ARRAY_LEN(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int take_two_names(void)
{
	struct output_name name = name_of(at("x.pb.gz"), ONE, 0);

	put_file(at("x.pb.gz"), "theirs");
	if (write_text(&name, "ours", NULL) != 0 ||
		write_text(&name, "ours, too", NULL) != 0)
		return 1;
	return holds(at("x.pb.gz"), "theirs") &&
			       holds(at("x-2.pb.gz"), "ours") &&
			       holds(at("x-3.pb.gz"), "ours, too") &&
			       files_in(dir) == 3
		       ? 0
		       : 2;
}

/* As on a FAT file system, then as there on an old kernel. */
static int try_without_links(void)
{
	return forbid(SYS_link, EPERM) ? take_two_names() : 77;
}

static int try_without_renameat2(void)
{
	return forbid(SYS_renameat2, EINVAL) ? try_without_links() : 77;
}

/* A name is refused for good: the temporary file goes as well. */
static int try_without_any(void)
{
	struct output_name name = name_of(at("x.pb.gz"), ONE, 0);

	if (!forbid(SYS_renameat2, EACCES) || !forbid(SYS_link, EACCES))
		return 77;
	return write_text(&name, "ours", NULL) == -EACCES && files_in(dir) == 0
		       ? 0
		       : 2;
}

static int in_child(int (*what)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(what());
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

TEST(unwritable_directory_is_an_error)
{
	fresh_dir();
	CHECK_EQ(mkdir(at("closed"), 0555), 0);
	CHECK_EQ(in_child(try_unwritable), 0);
	CHECK_EQ(files_in(at("closed")), 0);
}

TEST(size_limit_is_an_error_and_no_signal)
{
	fresh_dir();
	CHECK_EQ(in_child(try_size_limit), 0);
	CHECK_EQ(files_in(dir), 1);
}

TEST(full_disk_leaves_nothing)
{
	int status;

	fresh_dir();
	CHECK_EQ(mkdir(at("full"), 0755), 0);
	status = in_child(try_full_disk);
	/* Mounting needs root; /dev/full cannot hold a temporary file. */
	if (status == 77)
		printf("# not allowed to mount a tmpfs: not tested here\n");
	else
		CHECK_EQ(status, 0);
}

static void in_fresh_dir(int (*what)(void))
{
	int status;

	fresh_dir();
	status = in_child(what);
	if (status == 77)
		printf("# seccomp is not to be had: not tested here\n");
	else
		CHECK_EQ(status, 0);
}

TEST(without_hard_links_nothing_is_replaced_either)
{
	in_fresh_dir(try_without_links);
	in_fresh_dir(try_without_renameat2);
}

TEST(name_that_cannot_be_given_leaves_nothing)
{
	in_fresh_dir(try_without_any);
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
	(void)snprintf(
		dir, sizeof(dir), "/tmp/pprofc-test-output.%d", getpid());
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
	RUN(unwritable_directory_is_an_error);
	RUN(size_limit_is_an_error_and_no_signal);
	RUN(full_disk_leaves_nothing);
	RUN(without_hard_links_nothing_is_replaced_either);
	RUN(name_that_cannot_be_given_leaves_nothing);
	RUN(keep_leaves_the_newest);
	RUN(keep_deletes_no_file_of_others);
	fresh_dir();
	(void)rmdir(dir);
	return test_done();
}
