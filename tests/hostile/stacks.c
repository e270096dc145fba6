/*
 * stacks.c - little room: small thread stacks, small alternate stacks, signals
 * in quantities. BUILD: -pthread -fno-builtin-malloc
 */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include "hostile.h"

static atomic_int stop;

/* A guard page on either side, so that one byte too much is a fault. */
static char *guarded(size_t size)
{
	char *p = mmap(NULL, size + 131072, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	MUST(mprotect(p + 65536, size, PROT_READ | PROT_WRITE) == 0);
	return p + 65536;
}

/* Allocates from the greatest depth that is left to the program: 64 bytes a
 * frame or so. */
__attribute__((noinline)) static int dive(int depth)
{
	void *volatile p = malloc((size_t)depth + 1);
	int n = depth ? dive(depth - 1) : 0;

	free(p);
	return n + 1;
}

static void *diver(void *unused)
{
	for (int i = 0; i < 20; i++)
		MUST(dive(60) == 61);
	burn(5);
	return unused;
}

/* 16 KiB is PTHREAD_STACK_MIN; thread descriptor and TLS come off that. */
static void small_threads(void)
{
	pthread_attr_t attr;
	pthread_t t[4];

	hold();
	pthread_attr_init(&attr);
	MUST(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN) == 0);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			MUST(!pthread_create(&t[i], &attr, diver, NULL));
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
	}
	burn(20);
}

/* --- alternate stacks ------------------------------------------------------
 */

static volatile sig_atomic_t stormed;
static char *alternate;

/* No allocation: the handler may have interrupted one. */
__attribute__((noinline)) static int descend(int depth)
{
	volatile char room[64];

	room[0] = (char)depth;
	return depth ? descend(depth - 1) + room[0] : 0;
}

static void in_storm(int sig)
{
	char here;

	MUST(&here > alternate && &here < alternate + 8192);
	descend(8);
	stormed++;
	(void)sig;
}

static void on_alternate_stack(int sig, void (*handler)(int))
{
	struct sigaction act = { .sa_handler = handler,
		.sa_flags = SA_ONSTACK | SA_RESTART };
	stack_t stack = { .ss_size = 8192 };

	alternate = guarded(8192);
	stack.ss_sp = alternate;
	MUST(sigaltstack(&stack, NULL) == 0);
	MUST(sigaction(sig, &act, NULL) == 0);
}

static void *raiser(void *target)
{
	for (int i = 0; i < 2000 && !atomic_load(&stop); i++) {
		pthread_kill(*(pthread_t *)target, SIGUSR1);
		dive(10); /* or the target would do nothing else */
	}
	return NULL;
}

static void signal_storm(void)
{
	pthread_t me = pthread_self(), t[2];

	hold();
	on_alternate_stack(SIGUSR1, in_storm);
	for (int i = 0; i < 2; i++)
		MUST(pthread_create(&t[i], NULL, raiser, &me) == 0);
	for (int i = 0; i < 20; i++) {
		churn(200);
		burn(5);
		dump();
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	MUST(stormed > 0);
}

/* The program has used up its stack, and its handler jumps out. */
static sigjmp_buf out;

static void on_overflow(int sig)
{
	dive(4);
	siglongjmp(out, sig);
}

__attribute__((noinline)) static int overflow(int n)
{
	volatile char room[1000];

	room[0] = (char)n;
	if (n < 0)
		return 0;
	return overflow(n + 1) + room[0];
}

static void *overflowing(void *unused)
{
	on_alternate_stack(SIGSEGV, on_overflow);
	for (volatile int i = 0; i < 5; i++) {
		int sig = sigsetjmp(out, 1);

		MUST(sig == 0 || sig == SIGSEGV);
		if (sig == 0)
			overflow(0);
		dive(20);
		burn(2);
	}
	return unused;
}

static void stack_overflow(void)
{
	pthread_t t;

	hold();
	MUST(pthread_create(&t, NULL, overflowing, NULL) == 0);
	pthread_join(t, NULL);
	burn(30);
}

/* Real-time signals queue: each arrives, in order, with its value. */
#define VALUES 2000

static volatile sig_atomic_t values;

static void on_value(int sig, siginfo_t *info, void *context)
{
	MUST(sig == SIGRTMIN + 3 && context && info->si_code == SI_QUEUE);
	MUST(info->si_value.sival_int == values);
	values++;
}

static void queue_values(pid_t pid)
{
	for (int i = 0; i < VALUES; i++) {
		while (sigqueue(pid, SIGRTMIN + 3,
			       (union sigval){ .sival_int = i }) != 0)
			MUST(errno == EAGAIN); /* RLIMIT_SIGPENDING */
	}
}

static void *queueing(void *unused)
{
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	queue_values(getpid());
	return unused;
}

static void queued_values(void)
{
	struct sigaction act = { .sa_sigaction = on_value,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t t;

	hold();
	MUST(sigaction(SIGRTMIN + 3, &act, NULL) == 0);
	MUST(pthread_create(&t, NULL, queueing, NULL) == 0);
	while (values < VALUES)
		churn(20);
	MUST(pthread_join(t, NULL) == 0);
	burn(30);
}

/* --- the first sample ----------------------------------------------------- */

#define SURELY_SAMPLED (64u << 20)

static void allocates(int sig)
{
	volatile char own[2000];
	void *volatile p;

	for (size_t i = 0; i < sizeof(own); i++)
		own[i] = (char)sig;
	p = malloc(SURELY_SAMPLED);
	MUST(p && own[7] == (char)sig);
	free(p);
}

/* In a handler that has left itself 2.5 KiB of an alternate stack. */
static void first_in_handler(void)
{
	stack_t alt = { .ss_sp = guarded(8192), .ss_size = 8192 };
	struct sigaction act = { .sa_handler = allocates,
		.sa_flags = SA_ONSTACK };

	free(malloc(1)); /* the loader has found them */
	MUST(sigaltstack(&alt, NULL) == 0);
	MUST(sigaction(SIGUSR1, &act, NULL) == 0);
	MUST(raise(SIGUSR1) == 0);
	hold();
	burn(30);
}

static const struct way ways[] = {
	{ "small_threads", small_threads },
	{ "signal_storm", signal_storm },
	{ "stack_overflow", stack_overflow },
	{ "queued_values", queued_values },
	{ "first_in_handler", first_in_handler },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
