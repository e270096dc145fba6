/*
 * ends.c - signals that end the program or nearly do; the status is what the
 * caller looks at.
 *
 * ends raise N    holds memory, uses CPU time, raises signal N
 * ends fault N    the same by a real fault
 * ends WAY
 */
#include <signal.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "hostile.h"

static volatile int zero;
static char *volatile nowhere = (char *)16;
static sigjmp_buf out;
static void *volatile fault_address;

static void fault(int sig)
{
	if (sig == SIGSEGV)
		*(volatile char *)nowhere = 1;
	if (sig == SIGFPE)
		zero = 7 / zero;
	if (sig == SIGABRT)
		abort();
	if (sig == SIGILL)
		__builtin_trap();
	if (sig == SIGBUS)
		*(volatile char *)mmap(NULL, 4096, PROT_WRITE | PROT_READ,
			MAP_SHARED, fileno(tmpfile()), 0) = 1;
}

/* The parent is told how: by what signal, and whether a core was dumped. */
static void siblings(void)
{
	static const int by[] = { SIGSEGV, SIGFPE, SIGABRT, SIGILL, SIGBUS };

	hold();
	for (size_t i = 0; i < COUNT(by); i++) {
		siginfo_t info;
		pid_t child = fork();

		if (child == 0) {
			burn(2);
			fault(by[i]);
			_exit(1);
		}
		MUST(waitid(P_PID, (id_t)child, &info, WEXITED) == 0);
		MUST(info.si_status == by[i]);
		MUST(info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
	}
	burn(30);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault_address = info->si_addr;
	siglongjmp(out, sig);
}

/* A program that lives with its faults, as runtimes do. */
static void handled(void)
{
	struct sigaction act = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO };

	hold();
	MUST(sigaction(SIGSEGV, &act, NULL) == 0);
	MUST(sigaction(SIGFPE, &act, NULL) == 0);
	for (volatile int i = 0; i < 200; i++) {
		int wanted = i % 2 ? SIGSEGV : SIGFPE;
		int sig = sigsetjmp(out, 1);

		MUST(sig == 0 || sig == wanted);
		if (sig == 0)
			fault(wanted);
		MUST(wanted == SIGFPE || fault_address == (void *)16);
		churn(20);
	}
	burn(30);
}

/* Stops and goes on. */
static void stopped(void)
{
	int status;
	pid_t child = fork();

	hold();
	if (child == 0) {
		burn(5);
		raise(SIGSTOP);
		exit(8);
	}
	MUST(waitpid(child, &status, WUNTRACED) == child);
	MUST(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	MUST(kill(child, SIGCONT) == 0);
	MUST(waitpid(child, &status, 0) == child && status == 8 << 8);
	burn(30);
}

static const struct way ways[] = {
	{ "siblings", siblings },
	{ "handled", handled },
	{ "stopped", stopped },
};

int main(int argc, char **argv)
{
	int sig = argc > 2 ? atoi(argv[2]) : 0;

	if (sig == 0)
		return go_the_way(ways, COUNT(ways), argc, argv);
	hold();
	burn(30);
	if (strcmp(argv[1], "raise") == 0)
		raise(sig);
	else
		fault(sig);
	dprintf(2, "still here\n");
	return 1;
}
