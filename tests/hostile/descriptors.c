/*
 * descriptors.c - a program that knows exactly which descriptors it has.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "hostile.h"

#define FIRST 3
#define LAST 50
#define ROUNDS 20

/* One bit for each of the first 64 descriptors, the reading one left out. */
static unsigned long descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned long set = 0;
	struct dirent *entry;

	MUST(dir);
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < 64)
			set |= 1ul << fd;
	}
	closedir(dir);
	return set;
}

/* Byte k of file fd in a round. */
static char letter(int fd, int round, int k)
{
	return (char)('A' + (fd + round + k) % 26);
}

static void write_all(int round)
{
	for (int fd = FIRST; fd <= LAST; fd++) {
		char name[32], text[100];

		snprintf(name, sizeof(name), "file.%d", fd);
		MUST(open(name, O_CREAT | O_TRUNC | O_RDWR, 0600) == fd);
		for (int k = 0; k < (int)sizeof(text); k++)
			text[k] = letter(fd, round, k);
		dump();
		MUST(write(fd, text, sizeof(text)) == sizeof(text));
	}
}

static void check_all(int round)
{
	for (int fd = FIRST; fd <= LAST; fd++) {
		char text[200];

		MUST(lseek(fd, 0, SEEK_CUR) == 100);
		MUST(pread(fd, text, sizeof(text), 0) == 100);
		for (int k = 0; k < 100; k++)
			MUST(text[k] == letter(fd, round, k));
	}
}

/* Every descriptor is ours: nobody else may write to it or close it. */
static void reuse(void)
{
	hold();
	for (int round = 0; round < ROUNDS; round++) {
		for (int fd = FIRST; fd < 256; fd++)
			close(fd);
		write_all(round);
		churn(200);
		check_all(round);
	}
	burn(30);
	/* Left open: what is written at the end must not go there. */
}

static void count(void)
{
	unsigned long before = descriptors();

	MUST(before == 7);
	hold();
	burn(40);
	for (int i = 0; i < 3; i++) {
		dump();
		burn(5);
	}
	/* A report in progress may have one open. */
	for (int i = 0; descriptors() != before; i++) {
		struct timespec ms = { .tv_nsec = 1000000 };

		MUST(i < 5000);
		nanosleep(&ms, NULL);
	}
	MUST(dup(0) == 3);
}

static void close_everything(void)
{
	hold();
	burn(30);
	MUST(close_range(0, ~0u, 0) == 0);
	churn(500);
	burn(10);
	_exit(0);
}

static void limit(int resource, rlim_t to)
{
	struct rlimit r = { to, to };

	MUST(setrlimit(resource, &r) == 0);
}

static void three_files(void)
{
	limit(RLIMIT_NOFILE, 3);
	hold();
	burn(30);
	dump();
	churn(500);
	MUST(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
}

/* 0 and 1 and 2 are free: whatever we open must not be taken for them. */
static void standard_ones_closed(void)
{
	close(0);
	close(1);
	close(2);
	hold();
	dump();
	burn(30);
	if (open("zero", O_CREAT | O_RDWR, 0600) != 0 ||
		open("one", O_CREAT | O_RDWR, 0600) != 1 ||
		open("two", O_CREAT | O_RDWR, 0600) != 2)
		_exit(2);
	(void)!write(1, "mine\n", 5);
	dump();
	churn(1000);
	exit(0);
}

/* Second run: what did the first one leave behind? */
static void standard_ones_checked(void)
{
	struct stat zero, one, two;

	MUST(stat("zero", &zero) == 0 && zero.st_size == 0);
	MUST(stat("one", &one) == 0 && one.st_size == 5);
	MUST(stat("two", &two) == 0 && two.st_size == 0);
}

/* The files of reuse(), opened again by another process. */
static void reopened(void)
{
	char name[32];

	for (int fd = FIRST; fd <= LAST; fd++) {
		snprintf(name, sizeof(name), "file.%d", fd);
		MUST(open(name, O_RDONLY) == fd);
		MUST(lseek(fd, 0, SEEK_END) == 100);
	}
	check_all(ROUNDS - 1);
}

static const struct way ways[] = {
	{ "reuse", reuse },
	{ "reopened", reopened },
	{ "count", count },
	{ "close_everything", close_everything },
	{ "three_files", three_files },
	{ "standard_ones_closed", standard_ones_closed },
	{ "standard_ones_checked", standard_ones_checked },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
