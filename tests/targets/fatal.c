/*
 * fatal.c - a process that holds memory and then ends by a signal, in the way
 * it is told to. BUILD: -pthread
 *
 * fatal HOW [SIGNAL]
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *volatile held;
static volatile int zero;
static int number;

__attribute__((noinline)) static void hold(void)
{
	held = malloc(3000000);
	memset(held, 1, 3000000);
}

static void say(const char *text)
{
	(void)!write(1, text, strlen(text));
}

/* --- sent ----------------------------------------------------------------- */

static void by_kill(void)
{
	kill(getpid(), number);
	say("still here\n");
}

static void by_raise(void)
{
	raise(number);
	say("still here\n");
}

static void by_queue(void)
{
	union sigval value = { .sival_int = 4711 };

	sigqueue(getpid(), number, value);
	say("still here\n");
}

/* It is blocked, but for the time of the call. */
static void in_sigsuspend(void)
{
	sigset_t set, none;

	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(number);
	say("pending\n");
	sigsuspend(&none);
	say("still here\n");
}

static void by_abort(void)
{
	abort();
}

static void by_alarm(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 1000 } };

	setitimer(ITIMER_REAL, &soon, NULL);
	for (;;)
		pause();
}

static void by_pipe(void)
{
	int ends[2];

	if (pipe(ends) == 0 && close(ends[0]) == 0)
		(void)!write(ends[1], "x", 1);
	say("still here\n");
}

/* The profiles fit below the limit, the program's file does not. */
static void by_file_size(void)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	FILE *f = tmpfile();

	setrlimit(RLIMIT_FSIZE, &limit);
	if (f)
		(void)!pwrite(fileno(f), "x", 1, 2 << 20);
	say("still here\n");
}

/* --- faults --------------------------------------------------------------- */

static void by_segv(void)
{
	*(volatile char *)(uintptr_t)(zero + 16) = 1;
}

static void by_noncanonical(void)
{
	*(volatile char *)(uintptr_t)(0x8000000000000000u + (unsigned)zero) = 1;
}

static void by_bus(void)
{
	FILE *f = tmpfile();
	char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);

	zero = *(volatile char *)p;
}

static void by_fpe(void)
{
	zero = 7 / zero;
}

static void by_ill(void)
{
	__asm__ volatile("ud2");
}

static void by_trap(void)
{
	__asm__ volatile("int3");
}

static void by_sys(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 9),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		exit(77);
	(void)getppid();
	say("still here\n");
}

static void by_bad_free(void)
{
	void *volatile p = (void *)(uintptr_t)(zero + 48);

	free(p);
}

static void by_double_free(void)
{
	void *volatile p = malloc(200);

	free(p);
	free(p);
	say("still here\n");
}

__attribute__((noinline)) static int deeper(volatile char *above)
{
	volatile char here[4096];

	here[0] = above[0];
	return zero ? 0 : deeper(here) + here[0];
}

static void by_overflow(void)
{
	volatile char here[16] = { 0 };

	zero = deeper(here);
}

static void by_overflow_with_stack(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	sigaltstack(&stack, NULL);
	by_overflow();
}

/* --- with handlers of the program's --------------------------------------- */

static sigjmp_buf back;

static void jump(int sig)
{
	siglongjmp(back, sig);
}

static void recovered(void)
{
	struct sigaction act = { .sa_handler = jump }, old;

	sigaction(SIGSEGV, &act, &old);
	for (int i = 0; i < 3; i++) {
		if (sigsetjmp(back, 1) == 0)
			by_segv();
		say("recovered\n");
	}
	printf("was default: %d\n", old.sa_handler == SIG_DFL);
	(void)fflush(stdout);
}

static void give_up(int sig)
{
	say("giving up\n");
	signal(sig, SIG_DFL);
}

/* Crash handlers do this: report, set the default, return. */
static void handled_then_default(void)
{
	signal(SIGSEGV, give_up);
	by_segv();
}

static void abort_handled(void)
{
	signal(SIGABRT, give_up);
	abort();
}

/* abort() resets what returns from its handler by a way of its own. */
static void returns(int sig)
{
	(void)sig;
	say("handled\n");
}

static void abort_handled_again(void)
{
	signal(SIGABRT, returns);
	abort();
}

static void ignored(void)
{
	signal(SIGPIPE, SIG_IGN);
	by_pipe();
	signal(SIGPIPE, SIG_DFL);
	by_pipe();
}

/* --- threads and children ------------------------------------------------- */

static atomic_int ready;

static void *fault_here(void *unused)
{
	atomic_fetch_add(&ready, 1);
	by_segv();
	return unused;
}

/* The fault is first, so the exit must not get ahead of it. */
static void exit_behind_fault(void)
{
	struct timespec t = { .tv_nsec = 3000000 };
	pthread_t thread;

	for (int i = 0; i < 20000; i++)
		held = malloc((size_t)(i % 700) * 16 + 16);
	pthread_create(&thread, NULL, fault_here, NULL);
	while (!atomic_load(&ready))
		;
	nanosleep(&t, NULL);
	_exit(3);
}

static void many_faults(void)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, fault_here, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
}

static void report_child(pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	printf("child ends by %d\n", WTERMSIG(status));
	(void)fflush(stdout);
}

static void vfork_child(void)
{
	pid_t child = vfork();

	if (child == 0) {
		by_segv();
		_exit(1);
	}
	report_child(child);
}

static void raw_child(void)
{
	pid_t child = (pid_t)syscall(SYS_fork);

	if (child == 0) {
		by_segv();
		_exit(1);
	}
	report_child(child);
}

static const struct {
	const char *name;
	void (*end)(void);
} ways[] = {
	{ "kill", by_kill },
	{ "raise", by_raise },
	{ "queue", by_queue },
	{ "sigsuspend", in_sigsuspend },
	{ "abort", by_abort },
	{ "alarm", by_alarm },
	{ "pipe", by_pipe },
	{ "file_size", by_file_size },
	{ "segv", by_segv },
	{ "noncanonical", by_noncanonical },
	{ "bus", by_bus },
	{ "fpe", by_fpe },
	{ "ill", by_ill },
	{ "trap", by_trap },
	{ "sys", by_sys },
	{ "bad_free", by_bad_free },
	{ "double_free", by_double_free },
	{ "overflow", by_overflow },
	{ "overflow_with_stack", by_overflow_with_stack },
	{ "recovered", recovered },
	{ "handled_then_default", handled_then_default },
	{ "abort_handled", abort_handled },
	{ "abort_handled_again", abort_handled_again },
	{ "ignored", ignored },
	{ "exit_behind_fault", exit_behind_fault },
	{ "many_faults", many_faults },
	{ "vfork_child", vfork_child },
	{ "raw_child", raw_child },
};

int main(int argc, char **argv)
{
	number = argc > 2 ? atoi(argv[2]) : 0;
	hold();
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(argv[1], ways[i].name) == 0)
			ways[i].end();
	}
	return 0;
}
