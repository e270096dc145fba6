/*
 * taken_over.c - system calls that become signals of the program's own (system
 * call user dispatch): those of a signal handler of ours, and its return, must
 * not be among them.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "hostile.h"

static volatile char selector;
static volatile sig_atomic_t calls, expected;

static void on_call(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	calls++;
	expected += info->si_syscall == SYS_getppid;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* no system call */
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void work(long ms)
{
	for (long end = now_ms() + ms; now_ms() < end;)
		for (int i = 0; i < 5000; i++)
			sink += (unsigned long)i;
}

static void dispatch(void)
{
	struct sigaction act = { .sa_sigaction = on_call,
		.sa_flags = SA_SIGINFO };

	MUST(sigaction(SIGSYS, &act, NULL) == 0);
	MUST(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0,
		     &selector) == 0);
	for (int i = 1; i <= 10; i++) {
		selector = SYSCALL_DISPATCH_FILTER_BLOCK;
		work(30);
		MUST(selector == SYSCALL_DISPATCH_FILTER_BLOCK);
		(void)syscall(SYS_getppid);
		MUST(selector == SYSCALL_DISPATCH_FILTER_ALLOW);
		MUST(calls == i && expected == i);
	}
	MUST(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0,
		     0) == 0);
}

int main(int argc, char **argv)
{
	MUST(argc == 2 && strcmp(argv[1], "dispatch") == 0);
	hold();
	burn(30);
	dispatch();
	burn(30);
	puts("fine");
	return 0;
}
