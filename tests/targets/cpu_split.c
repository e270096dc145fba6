/*
 * cpu_split.c - burns CPU time in known functions in many threads and prints
 * how much each really took. BUILD: -pthread -lm
 *
 * cpu_split THREADS MS ALIVE [sleepy]
 *   THREADS threads in all, at most ALIVE at once, use MS milliseconds of CPU
 *   time each; `sleepy` ones sleep after every slice of work. Thread 0 is the
 *   main thread when THREADS is 1.
 *
 * Slices have exponential lengths, so that the work keeps no step with the
 * kernel's tick. The shares of the functions are 1 : 2 : 3. Output, in ns:
 *   work_one N / work_two N / work_three N / thread N of each / rusage N
 */
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define MEAN_SLICE_NS 2e6
#define CHUNK 4000 /* steps between looks at the clock: about 10 us */

struct worker {
	pthread_t thread;
	uint64_t random;
	int64_t spent[3];
	int64_t cpu; /* in all, as far as it can see itself */
};

static int64_t budget_ns;
static int sleepy;
static sem_t alive;

static int64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint64_t next_random(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static double uniform(struct worker *w)
{
	return ((double)(next_random(w) >> 11) + 0.5) / 9007199254740992.0;
}

static inline __attribute__((always_inline)) int64_t burn(
	int64_t ns, uint32_t addend)
{
	int64_t start = cpu_now(), now = start;
	volatile uint32_t x = 1;

	while (now - start < ns) {
		for (int i = 0; i < CHUNK; i++)
			x = x * 1664525u + addend;
		now = cpu_now();
	}
	return now - start;
}

/* Different constants, or the compiler would make one function of three. */
static __attribute__((noinline)) int64_t work_one(int64_t ns)
{
	return burn(ns, 1013904223u);
}

static __attribute__((noinline)) int64_t work_two(int64_t ns)
{
	return burn(ns, 12345u);
}

static __attribute__((noinline)) int64_t work_three(int64_t ns)
{
	return burn(ns, 907633385u);
}

static __attribute__((noinline)) void slice(struct worker *w, int64_t ns)
{
	unsigned pick = (unsigned)(next_random(w) % 6);

	if (pick < 1)
		w->spent[0] += work_one(ns);
	else if (pick < 3)
		w->spent[1] += work_two(ns);
	else
		w->spent[2] += work_three(ns);
}

static void doze(struct worker *w)
{
	struct timespec t = { 0, (long)(uniform(w) * 2e6) };

	nanosleep(&t, NULL);
}

static __attribute__((noinline)) void *work(void *arg)
{
	struct worker *w = arg;
	int64_t start = cpu_now(), left;

	while ((left = budget_ns - (cpu_now() - start)) > 0) {
		int64_t ns = (int64_t)(-MEAN_SLICE_NS * log(uniform(w)));

		slice(w, ns < left ? ns : left);
		if (sleepy)
			doze(w);
	}
	sem_post(&alive);
	w->cpu = cpu_now();
	return NULL;
}

static void run_threads(struct worker *workers, int n, int at_once)
{
	/* A thread that has posted may still be ending: join when its place
	 * is needed, in order of creation. */
	for (int i = 0; i < n; i++) {
		while (sem_wait(&alive) != 0)
			;
		if (i >= at_once)
			pthread_join(workers[i - at_once].thread, NULL);
		if (pthread_create(
			    &workers[i].thread, NULL, work, &workers[i])) {
			perror("pthread_create");
			exit(2);
		}
	}
	for (int i = n > at_once ? n - at_once : 0; i < n; i++)
		pthread_join(workers[i].thread, NULL);
}

static int64_t rusage_ns(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * INT64_C(1000000000) +
	       (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * INT64_C(1000);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "work_one", "work_two",
		"work_three" };
	int n = argc > 1 ? atoi(argv[1]) : 1;
	int at_once = argc > 3 ? atoi(argv[3]) : n;
	struct worker *workers = calloc((size_t)n, sizeof(*workers));

	budget_ns = (argc > 2 ? atoi(argv[2]) : 100) * NS_PER_MS;
	sleepy = argc > 4 && strcmp(argv[4], "sleepy") == 0;
	for (int i = 0; i < n; i++)
		workers[i].random = 88172645463325252u + 7919u * (uint64_t)i;
	sem_init(&alive, 0, (unsigned)at_once);
	if (n == 1)
		work(&workers[0]);
	else
		run_threads(workers, n, at_once);

	for (int k = 0; k < 3; k++) {
		int64_t sum = 0;

		for (int i = 0; i < n; i++)
			sum += workers[i].spent[k];
		printf("%s %lld\n", names[k], (long long)sum);
	}
	for (int i = 0; i < n; i++)
		printf("thread %lld\n", (long long)workers[i].cpu);
	printf("rusage %lld\n", (long long)rusage_ns());
	return 0;
}
