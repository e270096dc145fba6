/*
 * files.c - threads that open, write, duplicate and close descriptors without
 * a pause, while profiles are written, and writing them fails: not one byte of
 * a file may be another than the one we wrote, and no descriptor may vanish.
 *
 * files WAY        leaves file.T.N, and "closed" marks
 * files checked    reads them in another process
 * BUILD: -pthread
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "hostile.h"

#define THREADS 3
#define FILES 8
#define BYTES 3000
#define PIECE 100

static int rounds;
static int tight; /* descriptors may run out */

/* Byte k of a file; the file has the same in every round. */
static char letter(int thread, int file, int k)
{
	return (char)('A' + (thread * 7 + file * 3 + k / PIECE + k) % 53);
}

static void name_of(char *name, size_t size, int thread, int file)
{
	snprintf(name, size, "file.%d.%d", thread, file);
}

/* The host would see it, too, when no descriptor is free. */
static int opened(const char *name, int flags)
{
	int fd;

	do
		fd = open(name, flags | O_CLOEXEC, 0600);
	while (fd < 0 && tight && errno == EMFILE);
	MUST(fd > 2);
	return fd;
}

static void must_be_file(int fd, const struct stat *wanted)
{
	struct stat now;

	MUST(fstat(fd, &now) == 0);
	MUST(now.st_ino == wanted->st_ino && now.st_dev == wanted->st_dev);
}

/* Through the descriptor, its duplicate and offsets, in turn. */
static void write_file(int thread, int file)
{
	char name[32], text[PIECE];
	struct stat me;
	int fd, other;

	name_of(name, sizeof(name), thread, file);
	fd = opened(name, O_CREAT | O_TRUNC | O_RDWR);
	MUST(fstat(fd, &me) == 0);
	for (int at = 0; at < BYTES; at += PIECE) {
		for (int k = 0; k < PIECE; k++)
			text[k] = letter(thread, file, at + k);
		other = dup(fd);
		MUST(other > 2 || (tight && errno == EMFILE));
		must_be_file(other > 2 ? other : fd, &me);
		MUST(write(other > 2 ? other : fd, text, PIECE) == PIECE);
		if (other > 2)
			MUST(close(other) == 0);
	}
	must_be_file(fd, &me);
	MUST(lseek(fd, 0, SEEK_CUR) == BYTES);
	MUST(close(fd) == 0);
}

static void check_file(int thread, int file)
{
	char name[32], text[BYTES + 1];
	int fd;

	name_of(name, sizeof(name), thread, file);
	fd = opened(name, O_RDONLY);
	MUST(read(fd, text, sizeof(text)) == BYTES);
	for (int k = 0; k < BYTES; k++)
		MUST(text[k] == letter(thread, file, k));
	MUST(close(fd) == 0);
}

/* What is written at one end comes out at the other, and nothing else. */
static void through_sockets(int i)
{
	int ends[2], got = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		MUST(tight && errno == EMFILE);
		return;
	}
	MUST(write(ends[0], &i, sizeof(i)) == sizeof(i));
	MUST(close(ends[0]) == 0);
	MUST(read(ends[1], &got, sizeof(got)) == sizeof(got) && got == i);
	MUST(read(ends[1], &got, 1) == 0);
	MUST(close(ends[1]) == 0);
}

static atomic_int working;

static void *worker(void *arg)
{
	int thread = (int)(long)arg;

	for (int i = 0; i < rounds; i++) {
		write_file(thread, i % FILES);
		through_sockets(i);
		check_file(thread, i % FILES);
		churn(5);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static void race(int n)
{
	pthread_t t[THREADS];

	rounds = getenv("HOSTILE_LONG") ? 2 * n : n;
	hold();
	atomic_store(&working, THREADS);
	for (long i = 0; i < THREADS; i++)
		MUST(!pthread_create(&t[i], NULL, worker, (void *)i));
	while (atomic_load(&working)) {
		dump();
		burn(2);
	}
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	for (int i = 0; i < THREADS * FILES; i++)
		check_file(i / FILES, i % FILES);
}

static void while_dumping(void)
{
	race(150);
	burn(30);
}

static void limit(int resource, rlim_t to)
{
	struct rlimit r = { to, to };

	MUST(setrlimit(resource, &r) == 0);
}

/* For the threads there is just enough, most of the time. */
static void few_descriptors(void)
{
	tight = 1;
	limit(RLIMIT_NOFILE, 3 + 2 * THREADS);
	race(150);
}

/* Profiles are larger than any file may be; ours are not. */
static void small_files(void)
{
	limit(RLIMIT_FSIZE, BYTES);
	race(150);
}

static void mount_over_profiles(unsigned long flags, const char *options)
{
	MUST(unshare(CLONE_NEWNS) == 0);
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	MUST(mount("none", "../profiles", "tmpfs", flags, options) == 0);
}

static void on_full_disk(void)
{
	mount_over_profiles(0, "size=4k");
	race(150);
}

static void on_read_only_disk(void)
{
	mount_over_profiles(MS_RDONLY, NULL);
	race(150);
}

static void checked(void)
{
	for (int i = 0; i < THREADS * FILES; i++)
		check_file(i / FILES, i % FILES);
}

static const struct way ways[] = {
	{ "while_dumping", while_dumping },
	{ "few_descriptors", few_descriptors },
	{ "small_files", small_files },
	{ "on_full_disk", on_full_disk },
	{ "on_read_only_disk", on_read_only_disk },
	{ "checked", checked },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
