/*
 * masks.c - what becomes of a set of all signals, wherever a program can pass
 * one: prints what the kernel then has. BUILD: -pthread
 *
 * masks WHAT
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define TIMER 64 /* SIGRTMAX of a program without us */

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *set, size_t bytes);

static sigset_t all; /* but SIGALRM */
static const struct timespec ten_s = { .tv_sec = 10 };

static void nothing(int sig)
{
	(void)sig;
}

/* --- while waiting -------------------------------------------------------- */

static int tid_of_main;
static atomic_int ready, done;

/* A word of hexadecimal digits in a file of /proc. */
static unsigned long long word_in(const char *path, const char *name)
{
	unsigned long long word = 0;
	char line[256];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) == 0)
			word = strtoull(line + strlen(name), NULL, 16);
	}
	if (f)
		fclose(f);
	return word;
}

static unsigned long long blocked(int tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	return word_in(path, "SigBlk:");
}

/* See the mask with which main waits, then end its wait. */
static void *watch(void *name)
{
	unsigned long long word;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!atomic_load(&ready))
		; /* making this thread, libc has blocked everything */
	do
		word = blocked(tid_of_main);
	while (!(word >> (SIGUSR1 - 1) & 1));
	printf("%s: %016llx\n", (const char *)name, word);
	while (!atomic_load(&done)) {
		syscall(SYS_tgkill, getpid(), tid_of_main, SIGALRM);
		sched_yield();
	}
	return NULL;
}

static int by_sigsuspend(void)
{
	return sigsuspend(&all);
}

static int by_ppoll(void)
{
	return ppoll(NULL, 0, &ten_s, &all);
}

static int by_ppoll_chk(void)
{
	return __ppoll_chk(NULL, 0, &ten_s, &all, 0);
}

static int by_pselect(void)
{
	return pselect(0, NULL, NULL, NULL, &ten_s, &all);
}

static int by_epoll_pwait(void)
{
	struct epoll_event event;

	return epoll_pwait(epoll_create1(0), &event, 1, 10000, &all);
}

static int by_epoll_pwait2(void)
{
	struct epoll_event event;

	return epoll_pwait2(epoll_create1(0), &event, 1, &ten_s, &all);
}

static const struct {
	const char *name;
	int (*wait)(void);
} waits[] = {
	{ "sigsuspend", by_sigsuspend },
	{ "ppoll", by_ppoll },
	{ "__ppoll_chk", by_ppoll_chk },
	{ "pselect", by_pselect },
	{ "epoll_pwait", by_epoll_pwait },
	{ "epoll_pwait2", by_epoll_pwait2 },
};

static void while_waiting(void)
{
	signal(SIGALRM, nothing);
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		pthread_t t;
		int ret, err;

		tid_of_main = (int)syscall(SYS_gettid);
		atomic_store(&done, 0);
		atomic_store(&ready, 0);
		pthread_create(&t, NULL, watch, (void *)waits[i].name);
		atomic_store(&ready, 1);
		ret = waits[i].wait();
		err = errno;
		atomic_store(&done, 1);
		pthread_join(t, NULL);
		printf("%d errno %d\n", ret, err);
	}
}

/* --- threads and children ------------------------------------------------- */

static void *print_blocked(void *name)
{
	printf("%s: %016llx\n", (const char *)name,
		blocked((int)syscall(SYS_gettid)));
	return NULL;
}

static void attributes(void)
{
	pthread_attr_t attr;
	sigset_t back;
	pthread_t t;

	pthread_attr_init(&attr);
	printf("%d\n", pthread_attr_setsigmask_np(&attr, &all));
	printf("%d\n", pthread_attr_getsigmask_np(&attr, &back));
	pthread_create(&t, &attr, print_blocked, (void *)"thread");
	pthread_join(t, NULL);
	sighold(TIMER);
	print_blocked((void *)"sighold");
	sighold(SIGUSR1);
	print_blocked((void *)"sighold");
}

/* It has neither the library nor a timer: this is as its parent asked. */
static void spawned(void)
{
	char *argv[] = { "grep", "Sig[BI]", "/proc/self/status", NULL };
	char *envp[] = { NULL };
	posix_spawnattr_t attr;
	pid_t child;
	int status;

	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &all);
	posix_spawnattr_setsigdefault(&attr, &all);
	signal(SIGUSR1, SIG_IGN);
	if (posix_spawnp(&child, "grep", NULL, &attr, argv, envp) == 0)
		waitpid(child, &status, 0);
}

/* --- signals taken without a handler -------------------------------------- */

static void *send(void *unused)
{
	for (int i = 0; i < 20; i++)
		syscall(SYS_tgkill, getpid(), tid_of_main, TIMER);
	usleep(1000);
	kill(getpid(), SIGUSR1);
	return unused;
}

static int by_sigwait(void)
{
	int sig = -1;

	return sigwait(&all, &sig) == 0 ? sig : -1;
}

static int by_sigwaitinfo(void)
{
	return sigwaitinfo(&all, NULL);
}

static int by_sigtimedwait(void)
{
	return sigtimedwait(&all, NULL, &ten_s);
}

static void taken_by(const char *name, int (*wait)(void))
{
	pthread_t t;
	int sig;

	pthread_create(&t, NULL, send, NULL);
	do
		sig = wait();
	while (sig < 0 && errno == EINTR);
	pthread_join(t, NULL);
	printf("%s: %d\n", name, sig);
}

static void taken(void)
{
	const struct timespec none = { 0, 0 };

	tid_of_main = (int)syscall(SYS_gettid);
	sigprocmask(SIG_BLOCK, &all, NULL);
	taken_by("sigwait", by_sigwait);
	taken_by("sigwaitinfo", by_sigwaitinfo);
	taken_by("sigtimedwait", by_sigtimedwait);
	printf("nothing: %d\n", sigtimedwait(&all, NULL, &none));
}

static void in_signalfd(void)
{
	int fd = signalfd(-1, &all, SFD_NONBLOCK);
	struct signalfd_siginfo info = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	printf("signalfd: %016llx\n", word_in(path, "sigmask:"));
	sigprocmask(SIG_BLOCK, &all, NULL);
	kill(getpid(), SIGUSR1);
	printf("%zd", read(fd, &info, sizeof(info)));
	printf(" signal %u\n", info.ssi_signo);
}

static void look(int sig)
{
	sigset_t set;

	(void)sig;
	syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), TIMER);
	sigpending(&set);
	printf("pending: %d, %d\n", sigismember(&set, TIMER),
		sigismember(&set, SIGCHLD));
}

/* On an alternate stack the timers wait for the handler. */
static void pending(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct sigaction act = { .sa_handler = look, .sa_flags = SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
}

/* --- siginterrupt --------------------------------------------------------- */

static void flags_of(const char *when, int sig)
{
	struct sigaction act;

	sigaction(sig, NULL, &act);
	printf("%s: %s %x\n", when, act.sa_handler ? "handler" : "default",
		(unsigned)act.sa_flags & ~0x04000000u);
}

static void interrupts(void)
{
	static const int sigs[] = { SIGUSR2, SIGTERM, SIGCHLD };

	for (int i = 0; i < 3; i++) {
		flags_of("start", sigs[i]);
		printf("%d\n", siginterrupt(sigs[i], 0));
		flags_of("not", sigs[i]);
		printf("%d\n", siginterrupt(sigs[i], 1));
		flags_of("interrupts", sigs[i]);
		signal(sigs[i], nothing);
		flags_of("handler", sigs[i]);
		siginterrupt(sigs[i], 0);
		flags_of("not", sigs[i]);
		signal(sigs[i], SIG_DFL);
		flags_of("default", sigs[i]);
	}
	printf("%d\n", siginterrupt(99, 0));
}

/* The handler in the kernel restarts calls, whatever the program said. */
static void kernels_flags(void)
{
	struct {
		unsigned long handler, flags, restorer, mask;
	} act;

	siginterrupt(SIGUSR2, 1);
	syscall(SYS_rt_sigaction, SIGUSR2, NULL, &act, 8);
	printf("%d %d\n", act.handler != 0, (act.flags & SA_RESTART) != 0);
}

/* --- sets the kernel refuses ---------------------------------------------- */

static void refused(void)
{
	static const uintptr_t bad[] = { 1, 8, (uintptr_t)-1,
		(uintptr_t)1 << 63 };

	for (int i = 0; i < 4; i++) {
		const sigset_t *set = (const sigset_t *)bad[i];

		errno = 0;
		printf("%d", ppoll(NULL, 0, &ten_s, set));
		printf(" %d", sigsuspend(set));
		printf(" %d", signalfd(-1, set, 0));
		printf(" %d", sigtimedwait(set, NULL, &ten_s));
		printf(" errno %d\n", errno);
	}
}

static const struct target_test tests[] = {
	{ "while_waiting", while_waiting },
	{ "attributes", attributes },
	{ "spawned", spawned },
	{ "taken", taken },
	{ "signalfd", in_signalfd },
	{ "pending", pending },
	{ "interrupts", interrupts },
	{ "kernels_flags", kernels_flags },
	{ "refused", refused },
};

int main(int argc, char **argv)
{
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	TARGET_RUN(tests, argc, argv);
	return 0;
}
