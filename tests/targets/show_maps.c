/*
 * show_maps.c - use the malloc family, then print /proc/self/maps.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	char *buffer;
	ssize_t n;

	for (int i = 0; i < 100000; i++)
		free(realloc(malloc(48), (size_t)i % 1000 + 1));
	buffer = calloc(1, 65536);
	while ((n = read(fd, buffer, 65536)) > 0)
		if (write(1, buffer, (size_t)n) != n)
			return 1;
	free(buffer);
	return n == 0 ? 0 : 1;
}
