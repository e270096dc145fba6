/*
 * fd_host.c - programs that rely on what POSIX says of descriptors.
 *
 * fd_host WHAT [FILE]
 *
 * BUILD: -pthread
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_objects(int n)
{
	void *volatile p; /* or the compiler removes the calls */

	for (int i = 0; i < n; i++) {
		p = malloc(1000 + (size_t)i % 100);
		if (p)
			*(char *)p = 1;
	}
}

/* Descriptor 2 becomes a file of the program's own. */
static int moves_stderr(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, 2) != 2)
		return 1;
	make_objects(1000);
	return 0;
}

/* With one thread, the lowest free number is no matter of luck: daemons and
 * shells rely on it. Meanwhile a profile is written, whose name is FILE. */
static int lowest_free(const char *file)
{
	long wrong = 0, rounds = 0;

	make_objects(20000);
	close(0);
	kill(getpid(), SIGUSR2);
	while (access(file, F_OK) != 0 && rounds < 50000000) {
		int fd = open("/", O_RDONLY);

		wrong += fd != 0;
		rounds++;
		close(fd);
	}
	printf("%s %s\n", access(file, F_OK) == 0 ? "written" : "not written",
		wrong ? "wrong" : "right");
	return 0;
}

/* "Only one instance": a record lock on the program itself. */
static int locks_itself(const char *failing_exec)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open("/proc/self/exe", O_RDONLY);
	char c;

	make_objects(2000);
	if (fcntl(fd, F_SETLK, &lock) != 0)
		return 1;
	if (*failing_exec)
		execl(failing_exec, failing_exec, NULL);
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

static _Atomic int done;

static void *allocate(void *unused)
{
	void *volatile p;

	(void)unused;
	while (!done) {
		p = malloc(10000);
		free(p);
	}
	return NULL;
}

#define LAST 12
#define ROUNDS 300

/* Of n files opened, how many are lost or not empty any more a bit later? */
static int reopen_round(const char *directory, int n)
{
	char name[4096];
	struct stat st;
	int fds[4], intact = 0;

	for (int fd = 3; fd < LAST; fd++)
		close(fd);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/own.%d", directory, i);
		fds[i] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	}
	usleep(3000);
	for (int i = 0; i < n; i++)
		intact += fstat(fds[i], &st) == 0 && st.st_size == 0;
	return n - intact;
}

/* One thread allocates; the other closes all descriptors, whoever they belong
 * to, and opens files of its own, as daemons do. */
static int reopens(const char *directory)
{
	pthread_t thread;
	int lost = 0;

	if (pthread_create(&thread, NULL, allocate, NULL) != 0)
		return 1;
	for (int round = 0; round < ROUNDS; round++)
		lost += reopen_round(directory, 1 + round % 4);
	done = 1;
	pthread_join(thread, NULL);
	printf("%d lost or changed\n", lost);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *file = argc > 2 ? argv[2] : "";

	if (strcmp(what, "moves_stderr") == 0)
		return moves_stderr(file);
	if (strcmp(what, "lowest_free") == 0)
		return lowest_free(file);
	if (strcmp(what, "reopens") == 0)
		return reopens(file);
	if (strcmp(what, "locks_itself") == 0)
		return locks_itself(file);
	fprintf(stderr, "fd_host: unknown: %s\n", what);
	return 2;
}
