/*
 * killed.c - threads that allocate, free, use CPU time and fork, until they are
 * killed, and keep the books in a file that outlives them. BUILD: -pthread
 * -fno-builtin
 *
 * killed BOOKS THREADS FORKS
 *
 * BOOKS is a file of THREADS x struct books, mapped and shared. A count is
 * raised before a call begins and another one after it has returned, so at any
 * moment they differ by the one call that is under way. Thread t makes objects
 * of size_of(t) bytes only, in make_object(). With FORKS > 0 every so many
 * rounds thread 0 forks a child that allocates and ends, in turn in different
 * ways.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

#define OBJECTS 64

struct books {
	volatile uint64_t make_begun, make_done, free_begun, free_done;
	volatile uint64_t cpu_ns;
	volatile uint64_t unused[3];
};

static struct books *books;
static unsigned forks;

static size_t size_of(unsigned t)
{
	return (size_t)1 << (8 + t);
}

static __attribute__((noinline)) void *make_object(struct books *b, size_t n)
{
	char *p;

	b->make_begun++;
	p = malloc(n);
	b->make_done++;
	if (!p)
		abort();
	*p = 1;
	return p;
}

static __attribute__((noinline)) void free_object(struct books *b, void *p)
{
	b->free_begun++;
	free(p);
	b->free_done++;
}

static void spend_cpu(void)
{
	for (int i = 0; i < 20000; i++)
		target_sink += (unsigned long)i;
}

static void fork_child(unsigned round)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (size_t i = 0; i < round % 3 * 100; i++)
			free(malloc(i + 1));
		if (round % 2)
			_exit(0);
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

static void *work(void *arg)
{
	struct books *b = arg;
	unsigned t = (unsigned)(b - books);
	void *objects[OBJECTS] = { NULL };
	uint32_t random = t + 1;

	for (unsigned round = 0;; round++) {
		struct timespec now;

		for (int i = 0; i < 50; i++) {
			void **p;

			random = random * 1664525u + 1013904223u;
			p = &objects[(random >> 16) % OBJECTS];
			if (*p) {
				free_object(b, *p);
				*p = NULL;
			} else {
				*p = make_object(b, size_of(t));
			}
		}
		spend_cpu();
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		b->cpu_ns = (uint64_t)now.tv_sec * 1000000000u +
			    (uint64_t)now.tv_nsec;
		if (forks && t == 0 && round % forks == 0)
			fork_child(round / forks);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	int fd = argc > 1 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0 || threads > 8)
		return 2;
	books = mmap(NULL, threads * sizeof(*books), PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);
	if (books == MAP_FAILED)
		return 2;
	close(fd);
	forks = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	for (unsigned t = 1; t < threads; t++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, &books[t]) != 0)
			return 2;
	}
	work(&books[0]);
	return 0;
}
