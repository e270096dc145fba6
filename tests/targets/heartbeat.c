/*
 * heartbeat.c - threads that watch each other's clock: how long was one of
 * them kept from running although it wanted to? BUILD: -pthread
 *
 * heartbeat SPINNERS SECONDS
 *   SPINNERS threads allocate, free and count without a pause, one more sleeps
 *   1 ms at a time, main as well. Whoever finds its beat late by
 *   more than what the scheduler did to it (time spent waiting for a processor
 *   is taken from schedstat) prints "stall MS THREAD"; at the end main prints
 *   "worst US" and "beats N". "ready" comes when all of them beat; SIGTERM ends
 *   the program early.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STALL_NS INT64_C(10000000)
#define ROUNDS 40

static atomic_int stop, beating;
static _Atomic int64_t worst_ns, beats;
static int64_t until;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void end(int sig)
{
	(void)sig;
	stop = 1;
}

/* The second number of schedstat: ns this thread has waited for a processor. */
static int64_t waited(int fd)
{
	char text[128], *rest;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	strtoll(text, &rest, 10);
	return strtoll(rest, NULL, 10);
}

static int open_schedstat(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/schedstat",
		syscall(SYS_gettid));
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void judge(int64_t late, const char *who)
{
	int64_t seen = worst_ns;

	while (late > seen &&
		!atomic_compare_exchange_weak(&worst_ns, &seen, late))
		;
	if (late > STALL_NS) {
		printf("stall %lld %s\n", (long long)(late / 1000000), who);
		fflush(stdout);
	}
	beats++;
}

static __attribute__((noinline)) void churn(void)
{
	void *kept[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		kept[i] = memset(malloc(64 + 40 * (size_t)i), i, 64);
	for (int i = 0; i < ROUNDS; i++)
		free(kept[i]);
}

static void *spin(void *arg)
{
	int fd = open_schedstat();

	beating++;
	while (!stop) {
		int64_t w = waited(fd), t = now();

		churn();
		t = now() - t;
		judge(t - (waited(fd) - w), arg);
	}
	close(fd);
	return NULL;
}

static void *doze(void *arg)
{
	struct timespec ms = { 0, 1000000 };
	int fd = open_schedstat();

	beating++;
	while (!stop && now() < until) {
		int64_t w = waited(fd), t = now();

		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
		churn();
		t = now() - t - ms.tv_nsec;
		judge(t - (waited(fd) - w), arg);
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t *threads = calloc((size_t)n + 1, sizeof(*threads));
	struct timespec ms = { 0, 1000000 };
	void *volatile kept = malloc(3000000); /* for the snapshot */

	until = now() + (argc > 2 ? atoi(argv[2]) : 5) * INT64_C(1000000000);
	signal(SIGTERM, end);
	for (int i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, spin, (void *)"spinner");
	pthread_create(&threads[n], NULL, doze, (void *)"sleeper");
	while (beating < n + 1)
		nanosleep(&ms, NULL);
	printf("ready\n");
	fflush(stdout);
	doze((void *)"main");
	stop = 1;
	for (int i = 0; i <= n; i++)
		pthread_join(threads[i], NULL);
	printf("worst %lld\nbeats %lld\n", (long long)(worst_ns / 1000),
		(long long)beats);
	free(kept);
	return 0;
}
