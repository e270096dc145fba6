/*
 * ends.c - signals that end the program or nearly do; the status is what the
 * caller looks at.
 *
 * ends raise N    holds memory, uses CPU time, raises signal N
 * ends fault N    the same by a real fault
 * ends earn N     the same by what the kernel sends it for
 * ends return N   the same by a return of main with status N
 * ends WAY
 * BUILD: -pthread
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
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

/* Seconds until SIGXCPU, and until SIGKILL. */
static void limit_cpu(rlim_t soft, rlim_t hard)
{
	struct rlimit r = { soft, hard };

	MUST(setrlimit(RLIMIT_CPU, &r) == 0);
}

/* Sent by the kernel for what the program does. */
static void earn(int sig)
{
	struct itimerval soon = { .it_value = { 0, 1000 } };
	struct rlimit none = { 0, 0 };
	int ends[2];

	MUST(pipe(ends) == 0 && close(ends[0]) == 0);
	if (sig == SIGPIPE)
		(void)!write(ends[1], "x", 1);
	if (sig == SIGALRM)
		MUST(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	if (sig == SIGVTALRM)
		MUST(setitimer(ITIMER_VIRTUAL, &soon, NULL) == 0);
	if (sig == SIGXFSZ) {
		FILE *f = fopen("too_long", "w");

		MUST(f && setrlimit(RLIMIT_FSIZE, &none) == 0);
		(void)!write(fileno(f), "x", 1);
	}
	if (sig == SIGXCPU)
		limit_cpu(1, 3);
	burn(10000);
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

/* Whether there is a core is the system's business; what it says of the child,
 * and where, is printed, and must be the same with us. */
static void dumps_core(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	siginfo_t info;
	pid_t child;

	hold();
	setrlimit(RLIMIT_CORE, &all);
	child = fork();
	if (child == 0) {
		burn(30);
		fault(SIGSEGV);
	}
	MUST(waitid(P_PID, (id_t)child, &info, WEXITED) == 0);
	MUST(info.si_status == SIGSEGV);
	printf("%s %s\n", info.si_code == CLD_DUMPED ? "dumped" : "killed",
		access("core", F_OK) == 0 ? "here" : "elsewhere");
	burn(30);
}

static void work(void)
{
	hold();
	burn(30);
	churn(300);
}

static void by_exit(void)
{
	work();
	exit(9);
}

static void by__exit(void)
{
	work();
	_exit(9);
}

static void by__Exit(void)
{
	work();
	_Exit(9);
}

/* The program is told, and goes on until it is killed. */
static void tell(int sig)
{
	(void)!write(1, sig == SIGXCPU ? "told\n" : "?\n", 5);
}

static void cpu_until_killed(void)
{
	signal(SIGXCPU, tell);
	work();
	limit_cpu(1, 2);
	burn(10000);
}

/* Nobody is told. */
static void cpu_at_once(void)
{
	work();
	limit_cpu(1, 1);
	burn(10000);
}

/* It asks for more, and is not stopped by what we use. */
static void more_cpu(int sig)
{
	MUST(sig == SIGXCPU);
	limit_cpu(RLIM_INFINITY, RLIM_INFINITY);
	siglongjmp(out, sig);
}

static void cpu_and_more(void)
{
	signal(SIGXCPU, more_cpu);
	work();
	if (sigsetjmp(out, 1) == 0) {
		limit_cpu(1, RLIM_INFINITY);
		burn(10000);
		MUST(!"SIGXCPU");
	}
	burn(30);
}

static void *ending(void *unused)
{
	by__exit();
	return unused;
}

static void by_thread(void)
{
	pthread_t t;

	MUST(pthread_create(&t, NULL, ending, NULL) == 0);
	for (;;)
		churn(10);
}

static const struct way ways[] = {
	{ "siblings", siblings },
	{ "handled", handled },
	{ "stopped", stopped },
	{ "dumps_core", dumps_core },
	{ "cpu_until_killed", cpu_until_killed },
	{ "cpu_at_once", cpu_at_once },
	{ "cpu_and_more", cpu_and_more },
	{ "by_exit", by_exit },
	{ "by__exit", by__exit },
	{ "by__Exit", by__Exit },
	{ "by_thread", by_thread },
};

int main(int argc, char **argv)
{
	int sig = argc > 2 ? atoi(argv[2]) : 0;

	if (sig == 0)
		return go_the_way(ways, COUNT(ways), argc, argv);
	hold();
	burn(30);
	if (strcmp(argv[1], "return") == 0)
		return sig;
	if (strcmp(argv[1], "raise") == 0)
		raise(sig);
	else if (strcmp(argv[1], "earn") == 0)
		earn(sig);
	else
		fault(sig);
	dprintf(2, "still here\n");
	return 1;
}
