/*
 * exec_fails.c - the main thread executes a FILE that is no program, again and
 * again, until another thread, which allocates, has used MS of CPU time.
 * BUILD: -pthread
 *
 * exec_fails MS FILE
 *
 * Prints what that thread has done: "objects N" and "cpu NS".
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_bool begun, stop;
static unsigned long objects;
static long long cpu_ns;

static long long clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static __attribute__((noinline)) void *worker(void *unused)
{
	while (!stop) {
		void *volatile p = malloc(48);

		free(p);
		objects++;
		begun = 1;
	}
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return unused;
}

int main(int argc, char **argv)
{
	char *const args[] = { argv[2], NULL }, *const none[] = { NULL };
	pthread_t thread;
	clockid_t clock;
	int wrong = 0;

	if (argc < 3 || pthread_create(&thread, NULL, worker, NULL) != 0 ||
		pthread_getcpuclockid(thread, &clock) != 0)
		return 2;
	while (!begun)
		usleep(100);
	while (clock_ns(clock) < atoi(argv[1]) * 1000000LL)
		wrong |= execve(argv[2], args, none) != -1 || errno != ENOEXEC;
	stop = 1;
	pthread_join(thread, NULL);
	printf("objects %lu\ncpu %lld\n", objects, cpu_ns);
	return wrong;
}
