/*
 * signals.c - what a program sees of its own signal dispositions and masks:
 * prints everything, so that two runs can be compared. BUILD: -pthread
 *
 * signals WHAT
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

sighandler_t bsd_signal(int sig, sighandler_t handler);

static volatile sig_atomic_t seen;

static void count(int sig)
{
	seen += sig;
}

static void count_info(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen += sig + (info->si_code == SI_TKILL ? 1000 : 0);
}

static const char *name_of(sighandler_t h)
{
	if (h == SIG_DFL)
		return "default";
	if (h == SIG_IGN)
		return "ignored";
	if (h == SIG_ERR)
		return "error";
	if (h == count || h == (sighandler_t)(void *)count_info)
		return "mine";
	return "SOMEBODY ELSE'S";
}

static void show(const char *when, const struct sigaction *act)
{
	printf("%s: %s flags %x mask", when, name_of(act->sa_handler),
		(unsigned)act->sa_flags & ~0x04000000u); /* SA_RESTORER */
	for (int sig = 1; sig < 32; sig++) {
		if (sigismember(&act->sa_mask, sig))
			printf(" %d", sig);
	}
	printf("\n");
}

static void query(const char *when, int sig)
{
	struct sigaction act;

	if (sigaction(sig, NULL, &act) != 0)
		printf("%s: errno %d\n", when, errno);
	else
		show(when, &act);
}

static void set(const char *when, int sig, sighandler_t handler, int flags)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags };
	struct sigaction old;

	sigaddset(&act.sa_mask, SIGCHLD);
	sigaddset(&act.sa_mask, SIGTERM);
	if (sigaction(sig, &act, &old) != 0)
		printf("%s: errno %d\n", when, errno);
	else
		show(when, &old);
}

static void dispositions_of(int sig)
{
	printf("signal %d\n", sig);
	query("at first", sig);
	set("to mine", sig, count, SA_RESTART);
	seen = 0;
	raise(sig);
	printf("seen %d\n", seen);
	query("mine", sig);
	set("to default", sig, SIG_DFL, SA_NODEFER);
	query("default", sig);
	set("to ignore", sig, SIG_IGN, 0);
	raise(sig);
	query("ignored", sig);
	printf("signal() gives %s\n", name_of(signal(sig, count)));
	raise(sig);
	printf("seen %d\n", seen);
	query("by signal()", sig);
	printf("signal() gives %s\n", name_of(signal(sig, SIG_DFL)));
	query("by signal()", sig);
	printf("signal() gives %s\n", name_of(signal(sig, SIG_DFL)));
	printf("bsd_signal() gives %s\n", name_of(bsd_signal(sig, count)));
	printf("ssignal() gives %s\n", name_of(ssignal(sig, SIG_DFL)));
	printf("sysv_signal() gives %s\n", name_of(sysv_signal(sig, count)));
	raise(sig);
	printf("seen %d\n", seen);
	query("one shot", sig);
	printf("sysv_signal() gives %s\n", name_of(sysv_signal(sig, SIG_DFL)));
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	printf("sigset() gives %s\n", name_of(sigset(sig, count)));
	printf("sigset() gives %s\n", name_of(sigset(sig, SIG_DFL)));
	siginterrupt(sig, 1);
	query("interrupting", sig);
	signal(sig, SIG_DFL);
}

/* Handlers there have more in their mask than the program gave. */
static void alternate_stack(void)
{
	struct sigaction act = { .sa_handler = count, .sa_flags = SA_ONSTACK };
	struct sigaction *volatile same = &act;

	sigaddset(&act.sa_mask, SIGUSR1);
	sigaction(SIGALRM, &act, NULL);
	query("on an alternate stack", SIGALRM);
	sigfillset(&act.sa_mask);
	sigaction(SIGALRM, &act, same);
	show("on an alternate stack", &act);
	query("full mask", SIGALRM);
	sigaction(SIGALRM, NULL, &act);
	printf("64: %d\n", sigismember(&act.sa_mask, 64));
	signal(SIGALRM, count);
	query("by signal()", SIGALRM);
}

static void dispositions(void)
{
	static const int sigs[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGPROF, SIGCHLD };

	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		dispositions_of(sigs[i]);
	alternate_stack();
	printf("bad: %d", sigaction(0, NULL, NULL));
	printf(" %d", errno);
	printf(" %d", sigaction(65, NULL, NULL));
	printf(" %d", errno);
	printf(" %s\n", name_of(signal(SIGKILL, count)));
	printf("SIGPROF is blocked: %d\n", (int)seen);
}

/* Another thread's mask is its creator's. */
static void *thread_mask(void *unused)
{
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	for (int sig = 1; sig < 32; sig++) {
		if (sigismember(&now, sig))
			printf(" %d", sig);
	}
	printf("\n");
	return unused;
}

static void masks(void)
{
	sigset_t all, old, pending;
	pthread_t t;

	sigfillset(&all);
	printf("%d\n", sigprocmask(SIG_BLOCK, &all, &old));
	pthread_create(&t, NULL, thread_mask, NULL);
	pthread_join(t, NULL);
	raise(SIGTERM);
	raise(SIGUSR2);
	sigpending(&pending);
	printf("pending %d %d %d\n", sigismember(&pending, SIGTERM),
		sigismember(&pending, SIGUSR2), sigismember(&pending, SIGUSR1));
	signal(SIGTERM, count);
	signal(SIGUSR2, count);
	printf("%d\n", pthread_sigmask(SIG_SETMASK, &old, NULL));
	printf("seen %d\n", seen);
	thread_mask(NULL);
}

/* The kernel's masks, where no library can pretend: bit of the highest
 * real-time signals. */
static void kernel_masks(void)
{
	sigset_t all;
	unsigned long word = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &word, sizeof(word));
	printf("blocked %016lx\n", word);
}

/* A vfork child has its parent's memory, but dispositions of its own. */
static void in_vfork_child(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL }, old;
	int status = 0;
	pid_t child;

	signal(SIGTERM, SIG_IGN);
	child = vfork();
	if (child == 0) {
		sigaction(SIGTERM, &act, &old);
		sigaction(SIGUSR2, &act, NULL);
		kill(getpid(), old.sa_handler == SIG_IGN ? SIGUSR2 : SIGKILL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	printf("child ends by %d\n", WTERMSIG(status));
	query("parent", SIGTERM);
	query("parent", SIGUSR2);
}

/* A child of raw fork has our handlers but is not ours. */
static void in_raw_child(void)
{
	static const int sigs[] = { SIGTERM, SIGUSR2 };

	for (int i = 0; i < 2; i++) {
		int status = 0;
		pid_t child = (pid_t)syscall(SYS_fork);

		if (child == 0) {
			syscall(SYS_kill, (int)syscall(SYS_getpid), sigs[i]);
			_exit(1);
		}
		waitpid(child, &status, 0);
		printf("child ends by %d\n", WTERMSIG(status));
	}
}

static void own_dump_signal(void)
{
	signal(SIGUSR2, count);
	raise(SIGUSR2);
	printf("seen %d\n", seen);
}

/* The program claims every signal number there is. */
static void claim_all(void)
{
	struct sigaction act = { .sa_sigaction = count_info,
		.sa_flags = SA_SIGINFO };
	struct timespec t;
	volatile unsigned long n = 0;
	int wrong = 0;

	/* From above, as well: the next one we take must not be taken. */
	for (int i = 0; i < 2 * 30; i++) {
		int sig = i < 30 ? 35 + i : 64 - (i - 30);
		struct sigaction old;

		if (sigaction(sig, &act, &old) != 0 ||
			(old.sa_handler != SIG_DFL) != (i >= 30))
			wrong++;
		seen = 0;
		raise(sig);
		wrong += seen != sig + 1000;
	}
	printf("wrong %d\n", wrong);
	do {
		n++;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	} while (t.tv_nsec < 300000000);
	printf("last %d\n", SIGRTMIN <= 34);
}

/* The last one, too. Nobody sends any; children neither. */
static void claim_last(void)
{
	struct sigaction act = { .sa_sigaction = count_info,
		.sa_flags = SA_SIGINFO };
	volatile unsigned long n = 0;
	struct timespec t;
	int status;
	pid_t pid;

	for (int sig = 34; sig <= 64; sig++)
		(void)sigaction(sig, &act, NULL);
	seen = 0;
	pid = fork();
	do {
		n++;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	} while (t.tv_nsec < 300000000);
	if (pid == 0)
		_exit(seen != 0);
	waitpid(pid, &status, 0);
	printf("seen %d, child %d\n", (int)seen, status);
}

/* --- dumps ---------------------------------------------------------------- */

#define PIECES 50

static void *volatile pieces[PIECES];

__attribute__((noinline)) static void hold_piece(int i)
{
	pieces[i] = malloc(100000);
	memset(pieces[i], i, 100000);
}

/* Ask for a dump after each of 50 pieces, without waiting for it. */
static void dumps(void)
{
	for (int i = 0; i < PIECES; i++) {
		hold_piece(i);
		raise(SIGUSR2);
	}
	printf("ready\n");
	(void)fflush(stdout);
	(void)getchar();
}

/* The same where no thread can be started. */
static void forbid_clone(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		exit(77);
}

static void dumps_without_clone(void)
{
	forbid_clone();
	dumps();
}

/* A dump on an alternate stack of the smallest size that is common. */
static void dump_on_small_stack(void)
{
	char *small = mmap(NULL, 8192 + 65536, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = small + 65536, .ss_size = 8192 };

	mprotect(small, 65536, PROT_NONE); /* below it: nothing */
	forbid_clone();
	sigaltstack(&stack, NULL);
	hold_piece(0);
	raise(SIGUSR2);
	printf("dumped\n");
	(void)fflush(stdout);
	raise(SIGTERM);
}

/* CPU samples on such a stack; a handler of the program's runs there all the
 * time, the very first sample included. */
__attribute__((noinline)) static void burn_until(long ms)
{
	struct timespec t;
	volatile unsigned long n = 0;

	do {
		n++;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	} while (t.tv_nsec < ms * 1000000);
}

static void burn_on_small_stack(int sig)
{
	burn_until(300);
	seen = sig;
}

static void samples_on_small_stack(void)
{
	char *small = mmap(NULL, 8192 + 65536, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = small + 65536, .ss_size = 8192 };
	struct sigaction act = { .sa_handler = burn_on_small_stack,
		.sa_flags = SA_ONSTACK };

	mprotect(small, 65536, PROT_NONE);
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	printf("seen %d\n", seen);
}

/* A stack that is too small for any handler but the program's, in parent and
 * child; then one that is large enough. */
static void too_small_stack(void)
{
	static unsigned char area[1 << 17];
	stack_t stack = { .ss_sp = area + (1 << 16), .ss_size = 3072 };
	int damaged = 0, status = -1;
	pid_t child;

	memset(area, 0xa5, sizeof(area));
	if (sigaltstack(&stack, NULL) != 0)
		exit(1);
	child = fork();
	burn_until(300);
	for (int i = 0; i < 1 << 16; i++)
		damaged += area[i] != 0xa5;
	if (child == 0)
		_exit(damaged != 0);
	if (waitpid(child, &status, 0) == child)
		printf("child %d parent %d\n", status, damaged);
	stack.ss_size = 1 << 16;
	if (sigaltstack(&stack, NULL) != 0)
		exit(1);
	burn_until(500);
}

/* --- waits that must not be interrupted ----------------------------------- */

static atomic_int stop;

static void *burn(void *unused)
{
	volatile unsigned long n = 0;

	while (!atomic_load(&stop))
		n++;
	return unused;
}

static void waits(void)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	int interrupted = 0;
	pthread_t t;

	pthread_create(&t, NULL, burn, NULL);
	for (int i = 0; i < 1000; i++) {
		interrupted += nanosleep(&ms, NULL) != 0;
		interrupted += poll(NULL, 0, 1) != 0;
	}
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	printf("interrupted %d\n", interrupted);
}

/* Wait for signals. */
static void idle(void)
{
	printf("ready\n");
	(void)fflush(stdout);
	for (;;)
		pause();
}

static const struct target_test tests[] = {
	{ "dispositions", dispositions },
	{ "masks", masks },
	{ "kernel_masks", kernel_masks },
	{ "vfork", in_vfork_child },
	{ "raw_fork", in_raw_child },
	{ "own", own_dump_signal },
	{ "claim", claim_all },
	{ "claim_last", claim_last },
	{ "dumps", dumps },
	{ "dumps_without_clone", dumps_without_clone },
	{ "dump_on_small_stack", dump_on_small_stack },
	{ "samples_on_small_stack", samples_on_small_stack },
	{ "too_small_stack", too_small_stack },
	{ "waits", waits },
	{ "idle", idle },
};

int main(int argc, char **argv)
{
	TARGET_RUN(tests, argc, argv);
	return 0;
}
