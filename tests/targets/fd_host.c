/*
 * fd_host.c - programs that rely on what POSIX says of descriptors.
 *
 * fd_host WHAT [FILE]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *file = argc > 2 ? argv[2] : "";

	if (strcmp(what, "moves_stderr") == 0)
		return moves_stderr(file);
	fprintf(stderr, "fd_host: unknown: %s\n", what);
	return 2;
}
