/*
 * confined.c - limits, missing directories and lost rights: nothing of it may
 * hurt the program. Needs root for some. BUILD: -pthread
 */
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "hostile.h"

static void limit(int resource, rlim_t to)
{
	struct rlimit r = { to, to };

	MUST(setrlimit(resource, &r) == 0);
}

static void work(void)
{
	hold();
	churn(500);
	burn(30);
	dump();
	churn(500);
}

/* 64 MiB more than there is now. */
static void address_space(void)
{
	unsigned long pages;
	FILE *f = fopen("/proc/self/statm", "r");

	MUST(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	limit(RLIMIT_AS, pages * 4096 + (64ul << 20));
	work();
	MUST(!malloc(100ul << 20) && errno == ENOMEM);
	MUST((held = malloc(10ul << 20)));
}

/* What no page is left for must not be missed by anybody but us. */
static void no_address_space(void)
{
	limit(RLIMIT_AS, 1);
	errno = 0;
	MUST(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		MAP_FAILED);
	errno = 0;
	MUST(!malloc(100ul << 20) && errno == ENOMEM);
	burn(30);
}

static void *nothing(void *unused)
{
	burn(2);
	return unused;
}

static void file_size(void)
{
	limit(RLIMIT_FSIZE, 0);
	work();
}

/* No timer can be made. */
static void no_pending_signals(void)
{
	pthread_t t;

	limit(RLIMIT_SIGPENDING, 0);
	for (int i = 0; i < 5; i++) {
		MUST(pthread_create(&t, NULL, nothing, NULL) == 0);
		MUST(pthread_join(t, NULL) == 0);
	}
	work();
}

static void no_stack_growth(void)
{
	limit(RLIMIT_STACK, 64 << 10);
	work();
}

static void no_new_process(void)
{
	if (geteuid() == 0)
		MUST(setuid(65534) == 0);
	limit(RLIMIT_NPROC, 0);
	work();
}

/* The umask hides what we write even from ourselves. */
static void no_permissions(void)
{
	umask(0777);
	work();
	MUST(umask(0) == 0777);
}

static void removed_directory(void)
{
	char name[4];

	MUST(mkdir("gone", 0700) == 0 && chdir("gone") == 0);
	MUST(rmdir("../gone") == 0);
	work();
	MUST(!getcwd(name, sizeof(name)));
}

static void confined_root(void)
{
	MUST(mkdir("jail", 0700) == 0 || errno == EEXIST);
	MUST(chroot("jail") == 0 && chdir("/") == 0);
	work();
	/* What we cannot find must not be made anew in there, either. */
	MUST(access("/proc", F_OK) == -1 && access("/dev", F_OK) == -1);
}

static void other_user(void)
{
	work();
	MUST(setgroups(0, NULL) == 0);
	MUST(setgid(65534) == 0 && setuid(65534) == 0);
	work();
	MUST(getuid() == 65534 && setuid(0) == -1 && errno == EPERM);
}

static void own_mounts(void)
{
	MUST(unshare(CLONE_NEWNS) == 0);
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static void without_proc(void)
{
	own_mounts();
	MUST(umount2("/proc", MNT_DETACH) == 0);
	work();
	MUST(access("/proc/self", F_OK) == -1);
}

static void empty_dev(void)
{
	own_mounts();
	MUST(mount("none", "/dev", "tmpfs", 0, "size=4k") == 0);
	work();
}

static void user_namespace(void)
{
	MUST(unshare(CLONE_NEWUSER) == 0);
	work();
	MUST(getuid() == 65534);
}

static void other_namespaces(void)
{
	MUST(unshare(CLONE_NEWUTS | CLONE_NEWIPC) == 0);
	work();
}

static const struct way ways[] = {
	{ "address_space", address_space },
	{ "no_address_space", no_address_space },
	{ "file_size", file_size },
	{ "no_pending_signals", no_pending_signals },
	{ "no_stack_growth", no_stack_growth },
	{ "no_new_process", no_new_process },
	{ "no_permissions", no_permissions },
	{ "removed_directory", removed_directory },
	{ "confined_root", confined_root },
	{ "other_user", other_user },
	{ "without_proc", without_proc },
	{ "empty_dev", empty_dev },
	{ "user_namespace", user_namespace },
	{ "other_namespaces", other_namespaces },
	{ "work", work },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
