/*
 * forks.c - processes that fork. BUILD: -pthread -fno-builtin-malloc
 *
 * forks tree       a tree of four, each with work and memory of its own
 * forks storm      one thread forks 200 children while four others allocate,
 *                  use CPU time and start threads; every child must end
 * forks handler    a signal handler forks in the middle of malloc
 * forks returns    a signal handler forks in the middle of a hook of the
 * library, and the child returns into it; says how often, and how many objects
 * the parent has kept forks raw        children that no library sees: _Fork and
 * the system call forks thread     a thread forks; the child lives on in it
 * forks stuck      a thread forks and waits for stdio's lock, whose owner waits
 *                  for a pipe that nobody reads
 * forks reporting  forks while a profile is being written, and says how long
 *                  the slowest took
 * forks idle       forks a child that only waits for a signal, and prints pids
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
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "target.h"

static volatile unsigned long sink;
static void *volatile held[8];

/* The counter keeps gcc from folding them: the profile has to tell the
 * processes apart. */
#define WORK(who)                                              \
	__attribute__((noinline)) static void work_##who(void) \
	{                                                      \
		held[0] = malloc(1000000);                     \
		memset(held[0], 1, 1000000);                   \
		sink += __COUNTER__;                           \
		target_spin(150);                              \
	}
WORK(parent)
WORK(child)
WORK(grandchild)
WORK(second)

static void reap(pid_t child)
{
	int status = 0;

	if (waitpid(child, &status, 0) != child || status != 0) {
		printf("child failed: %x\n", (unsigned)status);
		exit(1);
	}
}

static void tree(void)
{
	pid_t child;

	work_parent();
	child = fork();
	if (child == 0) {
		work_child();
		child = fork();
		if (child == 0) {
			work_grandchild();
			_exit(0);
		}
		reap(child);
		exit(0);
	}
	reap(child);
	child = fork();
	if (child == 0) {
		work_second();
		kill(getpid(), SIGTERM);
	}
	waitpid(child, NULL, 0);
	work_parent();
}

/* --- storm ---------------------------------------------------------------- */

static atomic_int stop;

static void *nothing(void *unused)
{
	return unused;
}

static void *busy(void *unused)
{
	pthread_t t;

	while (!atomic_load(&stop)) {
		for (int i = 1; i < 200; i++)
			free(malloc((size_t)i * 100));
		if (pthread_create(&t, NULL, nothing, NULL) == 0)
			pthread_join(t, NULL);
	}
	return unused;
}

static void child_of_storm(int i)
{
	for (int k = 1; k < 100; k++)
		held[k % 8] = realloc(held[k % 8], (size_t)k * 50);
	if (i % 4 == 0)
		target_spin(3);
	if (i % 4 == 1)
		exit(0);
	if (i % 4 == 2)
		execl("/bin/true", "true", (char *)NULL);
	_exit(0);
}

static void storm(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, busy, NULL);
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(20); /* a hang ends, and shows */
			child_of_storm(i);
		}
		reap(child);
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("200 children\n");
}

/* --- from a handler ------------------------------------------------------- */

static atomic_int forked;

static void fork_here(int sig)
{
	pid_t child = fork();

	(void)sig;
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	atomic_fetch_add(&forked, 1);
}

static void handler(void)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };

	signal(SIGALRM, fork_here);
	setitimer(ITIMER_REAL, &often, NULL);
	while (atomic_load(&forked) < 100) {
		for (int i = 1; i < 200; i++)
			free(malloc((size_t)i * 100));
	}
	signal(SIGALRM, SIG_IGN);
	held[0] = malloc(1000000);
	printf("100 forks\n");
}

/* --- in the middle of the library ----------------------------------------- */

#define CHILDREN 40
#define MADE 400000

static void *kept[MADE];
static uintptr_t library_lo, library_hi;
static volatile int children;
static volatile pid_t child_pid[CHILDREN];
static volatile int is_child;

static void find_library(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, " r-xp ") && strstr(line, "libpprofc.so"))
			sscanf(line, "%lx-%lx", &library_lo, &library_hi);
	}
	if (f)
		fclose(f);
}

static void fork_in_library(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	pid_t child;

	(void)sig;
	(void)info;
	if (pc < library_lo || pc >= library_hi || children == CHILDREN)
		return;
	child = fork();
	if (child == 0)
		is_child = 1;
	else
		child_pid[children++] = child;
}

__attribute__((noinline)) static void keep(int i)
{
	kept[i] = malloc((size_t)i % 100 + 1);
	sink += __COUNTER__;
}

/* 50 are made, 10 of them freed. */
__attribute__((noinline)) static void keep_in_child(void)
{
	for (int i = 0; i < 50; i++)
		kept[i] = malloc(1000);
	for (int i = 0; i < 10; i++)
		free(kept[i]);
	sink += __COUNTER__;
}

static void returns(void)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct sigaction act = { .sa_sigaction = fork_in_library,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	int n = 0;

	find_library();
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (n < MADE && children < CHILDREN && !is_child) {
		keep(n++);
		if (n % 4 == 0 && !is_child)
			free(kept[n - 1]);
	}
	if (is_child) {
		keep_in_child();
		exit(0);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	for (int i = 0; i < children; i++)
		reap(child_pid[i]);
	printf("%d children, %d made\n", children, n);
}

/* --- unseen --------------------------------------------------------------- */

static void raw(void)
{
	work_parent();
	for (int i = 0; i < 2; i++) {
		pid_t child = i ? _Fork() : (pid_t)syscall(SYS_fork);

		if (child == 0) {
			work_child();
			_exit(0);
		}
		reap(child);
	}
}

static void *fork_in_thread(void *unused)
{
	pid_t child = fork();

	if (child == 0) {
		work_child();
		exit(0);
	}
	reap(child);
	return unused;
}

static void in_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, fork_in_thread, NULL);
	pthread_join(t, NULL);
	work_parent();
}

/* --- while something else goes on ----------------------------------------- */

static void *fork_when_main_writes(void *unused)
{
	char path[64], now[2];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", getpid());
	do {
		fd = open(path, O_RDONLY | O_CLOEXEC); /* not stdio */
		if (fd < 0 || read(fd, now, 2) != 2)
			exit(1);
		close(fd);
	} while (memcmp(now, "1 ", 2) != 0); /* write(2) */
	if (fork() == 0)
		_exit(0);
	return unused;
}

static void stuck(void)
{
	static char text[1 << 20], buffer[1 << 20];
	pthread_t t;
	int ends[2];
	FILE *f;

	if (pipe(ends) != 0 || !(f = fdopen(ends[1], "w")))
		exit(1);
	setvbuf(f, buffer, _IOFBF, sizeof(buffer));
	memset(text, 'x', sizeof(text));
	fwrite(text, 1, sizeof(text) - 1, f);
	target_spin(50);
	pthread_create(&t, NULL, fork_when_main_writes, NULL);
	fflush(NULL);
}

static int threads_now(void)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");
	int n = 0;

	while (f && n == 0 && fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %d", &n);
	if (f)
		fclose(f);
	return n;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void reporting(void)
{
	long slowest = 0, ms;

	held[0] = malloc(1000000);
	kill(getpid(), SIGUSR2);
	if (threads_now() != 2)
		printf("no report is being written\n");
	for (int i = 0; i < 5; i++) {
		pid_t child;

		ms = now_ms();
		child = fork();
		if (child == 0)
			_exit(0);
		ms = now_ms() - ms;
		slowest = ms > slowest ? ms : slowest;
		reap(child);
	}
	printf("slowest %ld\n", slowest);
}

static void say_pid(const char *who)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %d\n", who, getpid());

	(void)!write(1, line, (size_t)n);
}

static void idle(void)
{
	if (fork() == 0) {
		held[0] = malloc(1000000);
		target_spin(50);
		say_pid("child");
	} else {
		held[1] = malloc(2000000);
		target_spin(50);
		say_pid("parent");
	}
	for (;;)
		target_spin(10);
}

static const struct target_test tests[] = {
	{ "tree", tree },
	{ "storm", storm },
	{ "handler", handler },
	{ "returns", returns },
	{ "raw", raw },
	{ "thread", in_thread },
	{ "stuck", stuck },
	{ "reporting", reporting },
	{ "idle", idle },
};

int main(int argc, char **argv)
{
	TARGET_RUN(tests, argc, argv);
	return 0;
}
