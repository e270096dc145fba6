/*
 * disks.c - places where nothing can be written, or only the beginning: the
 * program's own work goes on, and nothing half written is left.
 *
 * Some need root: a mount namespace of their own, in which they mount what
 * they need over the directory of the profiles. BUILD: -pthread
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "hostile.h"

#define PROFILES "../profiles"

static void own_mounts(void)
{
	MUST(unshare(CLONE_NEWNS) == 0);
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static void work(void)
{
	hold();
	burn(30);
	for (int i = 0; i < 3; i++) {
		churn(300);
		dump();
	}
}

/* In a child, so that its end is behind us when we look. */
static void work_and_end(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		work();
		exit(7);
	}
	MUST(waitpid(child, &status, 0) == child && status == 7 << 8);
}

/* What this process, which still runs, may have there itself. */
static int is_own_session(const char *name)
{
	char mine[32];

	snprintf(mine, sizeof(mine), ".%d.", getpid());
	return strstr(name, ".session") && strstr(name, mine);
}

/* How many files there are; whatever has a name is whole. */
static int files(void)
{
	DIR *dir = opendir(PROFILES);
	struct dirent *entry;
	int n = 0;

	MUST(dir);
	while ((entry = readdir(dir))) {
		char line[600];

		if (entry->d_name[0] == '.' || is_own_session(entry->d_name) ||
			strcmp(entry->d_name, "filler") == 0)
			continue;
		n++;
		MUST(strstr(entry->d_name, ".pb.gz"));
		MUST(!strstr(entry->d_name, ".tmp"));
		snprintf(line, sizeof(line),
			"LD_PRELOAD= gzip -t " PROFILES "/%s", entry->d_name);
		MUST(system(line) == 0);
	}
	closedir(dir);
	return n;
}

static void mount_small(const char *place, const char *size)
{
	own_mounts();
	MUST(mount("none", place, "tmpfs", 0, size) == 0);
}

/* A file of ours takes what there is, and is not touched. */
static void fill(const char *path, int error)
{
	static char page[4096];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	MUST(fd >= 0);
	memset(page, 'f', sizeof(page));
	while (write(fd, page, sizeof(page)) > 0)
		;
	MUST(errno == error);
	close(fd);
}

static void must_be_filled(const char *path)
{
	FILE *f = fopen(path, "r");
	int c;

	MUST(f);
	while ((c = fgetc(f)) == 'f')
		;
	MUST(c == EOF && ftell(f) > 0);
	fclose(f);
}

static void full_disk(void)
{
	mount_small(PROFILES, "size=64k");
	fill(PROFILES "/filler", ENOSPC);
	work_and_end();
	MUST(files() == 0);
	must_be_filled(PROFILES "/filler");
	work();
}

/* No more names, though there is room. */
static void no_inodes(void)
{
	mount_small(PROFILES, "nr_inodes=1");
	work_and_end();
	MUST(files() == 0);
	work();
}

/* Full when it comes to the profiles, and not afterwards. */
static void full_for_a_while(void)
{
	mount_small(PROFILES, "size=64k");
	fill(PROFILES "/filler", ENOSPC);
	work();
	MUST(remove(PROFILES "/filler") == 0);
	work_and_end();
	MUST(!getenv("PPROFC_OUTPUT") || files() > 0);
}

/*
 * A quota: there is room on the disk, but not for us, and the error is another
 * one. btrfs keeps quotas itself; the other file systems of this kernel may
 * not. The commands are not to be profiled.
 */
static void mount_with_quota(const char *place)
{
	char *preload = getenv("LD_PRELOAD");
	char line[400];

	own_mounts();
	preload = preload ? strdup(preload) : NULL;
	unsetenv("LD_PRELOAD");
	snprintf(line, sizeof(line),
		"PATH=$PATH:/usr/sbin:/sbin;"
		"truncate -s 32M image && mkfs.btrfs -q --mixed image >log "
		"2>&1 &&"
		"mount -o loop image %s && btrfs quota enable %s &&"
		"btrfs qgroup limit 16M %s",
		place, place, place);
	MUST(system(line) == 0);
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	free(preload);
	MUST(chmod(place, 01777) == 0);
}

static void quota(void)
{
	mount_with_quota(PROFILES);
	fill(PROFILES "/filler", EDQUOT);
	work_and_end();
	MUST(files() == 0);
	must_be_filled(PROFILES "/filler");
	work();
}

/* Sessions are files, too; the row tells the library to have them here. */
static void quota_of_sessions(void)
{
	mount_with_quota("/var/tmp");
	fill("/var/tmp/filler", EDQUOT);
	work_and_end();
	MUST(!getenv("PPROFC_OUTPUT") || files() > 0);
	must_be_filled("/var/tmp/filler");
	work();
}

/*
 * The room is gone when the session is there already, and written back. On
 * btrfs each further write of the same page takes new room.
 */
static void quota_reached_later(void)
{
	mount_with_quota("/var/tmp");
	burn(30);
	churn(300);
	dump();
	sync();
	fill("/var/tmp/filler", EDQUOT);
	sync();
	work_and_end();
	must_be_filled("/var/tmp/filler");
	work();
}

/* The session has its place there otherwise. */
static void full_shared_memory(void)
{
	mount_small("/dev/shm", "size=64k");
	fill("/dev/shm/filler", ENOSPC);
	work_and_end();
	MUST(!getenv("PPROFC_OUTPUT") || files() > 0);
	must_be_filled("/dev/shm/filler");
	work();
}

/* Both: all that is left is memory. */
static void full_everywhere(void)
{
	mount_small("/dev/shm", "size=64k");
	MUST(mount("none", PROFILES, "tmpfs", 0, "size=64k") == 0);
	fill("/dev/shm/filler", ENOSPC);
	fill(PROFILES "/filler", ENOSPC);
	work_and_end();
	MUST(files() == 0);
	must_be_filled("/dev/shm/filler");
	must_be_filled(PROFILES "/filler");
	work();
}

static void read_only_file_system(void)
{
	own_mounts();
	MUST(mount("none", PROFILES, "tmpfs", MS_RDONLY, NULL) == 0);
	work_and_end();
	MUST(files() == 0);
	work();
}

/* Everything there is. */
static void read_only_everything(void)
{
	own_mounts();
	MUST(mount("none", "/dev/shm", "tmpfs", MS_RDONLY, NULL) == 0);
	MUST(mount("none", "/tmp", "tmpfs", MS_RDONLY, NULL) == 0);
	work_and_end();
	work();
}

/* Directories that do not let us in; as root everything does. */
static void read_only_directory(void)
{
	MUST(chmod(PROFILES, 0555) == 0);
	if (geteuid() == 0)
		MUST(setgid(65534) == 0 && setuid(65534) == 0);
	work_and_end();
	MUST(files() == 0);
	work();
}

static void forbidden_directory(void)
{
	MUST(chmod(PROFILES, 0) == 0);
	if (geteuid() == 0)
		MUST(setgid(65534) == 0 && setuid(65534) == 0);
	work_and_end();
	work();
}

/* It was there when the program started. */
static void removed_output(void)
{
	MUST(rmdir(PROFILES) == 0);
	work();
	MUST(access(PROFILES, F_OK) == 0 || errno == ENOENT);
	MUST(mkdir(PROFILES, 0755) == 0 || errno == EEXIST);
}

static void no_directory(void)
{
	int fd;

	MUST(rmdir(PROFILES) == 0);
	fd = open(PROFILES, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, "mine", 4) == 4);
	close(fd);
	work_and_end();
	MUST((fd = open(PROFILES, O_RDONLY)) >= 0);
	MUST(lseek(fd, 0, SEEK_END) == 4);
	MUST(remove(PROFILES) == 0 && mkdir(PROFILES, 0755) == 0);
	close(fd);
}

/* --- memory --------------------------------------------------------------- */

static long status_kb(const char *key)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");

	MUST(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0)
			kb = atol(line + strlen(key));
	}
	fclose(f);
	return kb;
}

/* What is mapped later is there at once: our mapping is 256 MiB. */
static void locked_memory(void)
{
	MUST(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	work();
	MUST(status_kb("VmRSS:") < 100 << 10);
	MUST(status_kb("VmLck:") > 0);
	MUST(munlockall() == 0);
}

/* More than may be locked cannot even be mapped. */
static void little_locked_memory(void)
{
	struct rlimit few = { 8 << 20, 8 << 20 };

	MUST(setrlimit(RLIMIT_MEMLOCK, &few) == 0);
	if (geteuid() == 0)
		MUST(setgid(65534) == 0 && setuid(65534) == 0);
	MUST(mlockall(MCL_FUTURE) == 0);
	MUST(mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0) == MAP_FAILED &&
		errno == EAGAIN);
	work();
}

static const struct way ways[] = {
	{ "full_disk", full_disk },
	{ "no_inodes", no_inodes },
	{ "full_for_a_while", full_for_a_while },
	{ "quota", quota },
	{ "quota_of_sessions", quota_of_sessions },
	{ "quota_reached_later", quota_reached_later },
	{ "full_shared_memory", full_shared_memory },
	{ "full_everywhere", full_everywhere },
	{ "read_only_file_system", read_only_file_system },
	{ "read_only_everything", read_only_everything },
	{ "read_only_directory", read_only_directory },
	{ "forbidden_directory", forbidden_directory },
	{ "removed_output", removed_output },
	{ "no_directory", no_directory },
	{ "locked_memory", locked_memory },
	{ "little_locked_memory", little_locked_memory },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
