/*
 * threads.c - threads that start and end in every way. Prints the process's
 * CPU time as "rusage NS". BUILD: -pthread -fno-builtin-malloc
 *
 * threads WHAT; see the table at the end.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static void say_rusage(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	printf("rusage %lld\n",
		(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000LL +
			(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000LL);
	(void)fflush(stdout);
}

/* Only system calls: raw threads run this, too. */
static inline __attribute__((always_inline)) void spin(long ms)
{
	volatile unsigned long n = 0;
	struct timespec t;
	long end = 0, now;

	do {
		for (int i = 0; i < 20000; i++)
			n++;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		now = t.tv_sec * 1000 + t.tv_nsec / 1000000;
		if (!end)
			end = now + ms;
	} while (now < end);
}

__attribute__((noinline)) static void in_main(long ms)
{
	spin(ms);
}

static void *worker(void *ms)
{
	spin((long)ms);
	return NULL;
}

static int c11_worker(void *ms)
{
	spin((long)ms);
	return 5;
}

static void c11(void)
{
	thrd_t t[4];
	int sum = 0, result;

	for (int i = 0; i < 4; i++)
		thrd_create(&t[i], c11_worker, (void *)100L);
	for (int i = 0; i < 4; i++) {
		thrd_join(t[i], &result);
		sum += result;
	}
	printf("sum %d\n", sum);
}

static void *named_worker(void *name)
{
	pthread_setname_np(pthread_self(), name);
	spin(100);
	return NULL;
}

static void names(void)
{
	char *name[] = { "alpha", "beta", "gamma-15-chars!" };
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, named_worker, name[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

static void *names_main(void *main_thread)
{
	pthread_setname_np(*(pthread_t *)main_thread, "by_another");
	return NULL;
}

static void name_by_file(const char *name)
{
	FILE *f = fopen("/proc/thread-self/comm", "w");

	if (!f || fputs(name, f) < 0 || fclose(f) != 0)
		perror("/proc/thread-self/comm");
}

#define SPINS(name)                                   \
	static __attribute__((noipa)) void name(void) \
	{                                             \
		spin(80);                             \
	}
SPINS(by_pthread)
SPINS(by_prctl)
SPINS(by_syscall)
SPINS(by_another)
SPINS(by_file)

/* One thread gets names in each way, and works in functions called so. */
static void renames(void)
{
	pthread_t t, self = pthread_self();

	for (int i = 0; i < 5; i++) {
		pthread_setname_np(self, "by_pthread");
		by_pthread();
		prctl(PR_SET_NAME, "by_prctl", 0, 0, 0);
		by_prctl();
		syscall(SYS_prctl, PR_SET_NAME, "by_syscall", 0, 0, 0);
		by_syscall();
		pthread_create(&t, NULL, names_main, &self);
		pthread_join(t, NULL);
		by_another();
		name_by_file("by_file");
		by_file();
	}
}

/* Alive, and at work, when the process ends. */
static void alive_at_end(void)
{
	pthread_t t;

	for (int i = 0; i < 8; i++) {
		pthread_create(&t, NULL, worker, (void *)1000000L);
		pthread_detach(t);
	}
	in_main(200);
}

static void many(void)
{
	pthread_t t[10];

	for (int i = 0; i < 3000; i++) {
		if (i >= 10)
			pthread_join(t[i % 10], NULL);
		pthread_create(&t[i % 10], NULL, worker, (void *)1L);
	}
	for (int i = 0; i < 10; i++)
		pthread_join(t[i], NULL);
}

static void *cancelled(void *unused)
{
	spin(50);
	for (;;)
		pause();
	return unused;
}

static void *leaves(void *unused)
{
	spin(50);
	pthread_exit(unused);
}

/* Without any handler of libc's. */
static void *vanishes(void *unused)
{
	spin(50);
	syscall(SYS_exit, 0);
	return unused;
}

static void endings(void)
{
	pthread_t t[3];

	for (int i = 0; i < 5; i++) {
		pthread_create(&t[0], NULL, cancelled, NULL);
		pthread_create(&t[1], NULL, leaves, NULL);
		pthread_create(&t[2], NULL, worker, (void *)50L);
		usleep(1000);
		pthread_cancel(t[0]);
		for (int k = 0; k < 3; k++)
			pthread_join(t[k], NULL);
	}
	pthread_create(&t[0], NULL, vanishes, NULL);
	in_main(300);
}

/* --- destructors that come after ours ------------------------------------- */

static pthread_key_t keys[20];
static atomic_int destroyed;

static void destroy(void *value)
{
	long rounds = (long)value;

	for (int i = 0; i < 50; i++)
		free(malloc(1000));
	atomic_fetch_add(&destroyed, 1);
	if (rounds > 1) {
		for (int i = 0; i < 20; i++)
			pthread_setspecific(keys[i], (void *)(rounds - 1));
	}
}

static void *uses_keys(void *unused)
{
	for (int i = 0; i < 20; i++)
		pthread_setspecific(keys[i], (void *)100L);
	free(malloc(1000));
	return unused;
}

static void destructors(void)
{
	pthread_t t;

	for (int i = 0; i < 20; i++)
		pthread_key_create(&keys[i], destroy);
	for (int i = 0; i < 50; i++) {
		pthread_create(&t, NULL, uses_keys, NULL);
		pthread_join(t, NULL);
	}
	printf("destroyed %d\n", destroyed);
}

/* --- threads that no hook sees -------------------------------------------- */

static atomic_int raw_done;
static _Alignas(16) char raw_stack[65536];

/* Shares main's TLS. */
static int raw_worker(void *ms)
{
	spin((long)ms);
	atomic_store(&raw_done, 1);
	syscall(SYS_exit, 0);
	return 0;
}

static void raw(void)
{
	/* The raw thread has the most to do: it must be found. */
	clone(raw_worker, raw_stack + sizeof(raw_stack),
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			CLONE_THREAD | CLONE_SYSVSEM,
		(void *)2000L);
	in_main(1500);
	while (!atomic_load(&raw_done))
		usleep(1000);
}

/* A thread pointer of its own, below which there is nothing. */
static void raw_own_tls(void)
{
	char *p = mmap(
		NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void **block = (void **)(p + 4096);

	if (p == MAP_FAILED || mprotect(block, 4096, PROT_READ | PROT_WRITE))
		exit(1);
	block[0] = block[2] = block;
	clone(raw_worker, raw_stack + sizeof(raw_stack),
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS,
		(void *)2000L, NULL, block);
	in_main(1500);
	while (!atomic_load(&raw_done))
		usleep(1000);
}

static atomic_int fired;

static void on_timer(union sigval value)
{
	(void)value;
	spin(10);
	atomic_fetch_add(&fired, 1);
}

/* libc starts a thread for each expiry. */
static void sigev_thread(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = on_timer };
	struct itimerspec often = { { 0, 5000000 }, { 0, 5000000 } };
	timer_t timer;

	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, NULL);
	while (atomic_load(&fired) < 100)
		in_main(5);
	timer_delete(timer);
}

/* Only a thread that nobody sees works. */
static void raw_alone(void)
{
	clone(raw_worker, raw_stack + sizeof(raw_stack),
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			CLONE_THREAD | CLONE_SYSVSEM,
		(void *)500L);
	while (!atomic_load(&raw_done))
		usleep(1000);
}

/* No timer can be had. */
static void no_timers(void)
{
	struct rlimit none = { 0, 0 };
	pthread_t t[4];

	setrlimit(RLIMIT_SIGPENDING, &none);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, worker, (void *)100L);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* The same, and all of them alive when the process ends. */
static void alive_without_timers(void)
{
	struct rlimit none = { 0, 0 };
	pthread_t t;

	setrlimit(RLIMIT_SIGPENDING, &none);
	for (int i = 0; i < 4; i++) {
		pthread_create(&t, NULL, worker, (void *)1000000L);
		pthread_detach(t);
	}
	in_main(200);
}

/* --- small stacks --------------------------------------------------------- */

static void *with_small_stack(void *unused)
{
	char line[64];

	spin(50);
	snprintf(line, sizeof(line), "%f", 1.5);
	return unused;
}

static void small_stacks(void)
{
	pthread_attr_t attr;
	pthread_t t[4];

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN));
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], &attr, with_small_stack, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* --- the main thread leaves first ----------------------------------------- */

static void *reads_the_clock(void *main_thread)
{
	struct timespec t;

	pthread_join(*(pthread_t *)main_thread, NULL);
	for (int i = 0; i < 50; i++) {
		spin(2);
		for (int n = 0; n < 100000; n++)
			clock_gettime(CLOCK_MONOTONIC, &t);
	}
	say_rusage();
	return NULL;
}

static void main_leaves(void)
{
	static pthread_t self;
	pthread_t t;

	self = pthread_self();
	pthread_create(&t, NULL, reads_the_clock, &self);
	pthread_exit(NULL);
}

static const struct target_test tests[] = {
	{ "c11", c11 },
	{ "names", names },
	{ "renames", renames },
	{ "alive_at_end", alive_at_end },
	{ "many", many },
	{ "endings", endings },
	{ "destructors", destructors },
	{ "raw", raw },
	{ "raw_alone", raw_alone },
	{ "raw_own_tls", raw_own_tls },
	{ "sigev_thread", sigev_thread },
	{ "no_timers", no_timers },
	{ "alive_without_timers", alive_without_timers },
	{ "small_stacks", small_stacks },
	{ "main_leaves", main_leaves },
};

int main(int argc, char **argv)
{
	TARGET_RUN(tests, argc, argv);
	say_rusage();
	return 0;
}
