/*
 * test_output_refused.c - profile files where the system refuses something,
 * each case in a child.
 */
#include "pp.h"

#include "output_files.h"

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

int main(void)
{
	begin_output();
	RUN(unwritable_directory_is_an_error);
	RUN(size_limit_is_an_error_and_no_signal);
	RUN(full_disk_leaves_nothing);
	RUN(without_hard_links_nothing_is_replaced_either);
	RUN(name_that_cannot_be_given_leaves_nothing);
	end_output();
	return test_done();
}
