/*
 * sandbox.c - programs that give up system calls: seccomp's strict mode, and
 * filters that end the program, signal it, or lie. Whatever the library does
 * afterwards must not be what ends the program.
 * BUILD: -pthread
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "filter.h"
#include "hostile.h"

/* How a filter is put on. */
enum by { BY_PRCTL, BY_SYSCALL, BY_ALL_THREADS, BY_PRCTL_AS_SYSCALL };

static void put_on(struct sock_fprog *program, enum by by)
{
	unsigned long flags = by == BY_ALL_THREADS ? SECCOMP_FILTER_FLAG_TSYNC
						   : 0;

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (by == BY_PRCTL)
		MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) == 0);
	else if (by == BY_PRCTL_AS_SYSCALL)
		MUST(syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
			     program) == 0);
	else
		MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
			     program) == 0);
}

static void filter(
	const int *calls, int n, unsigned theirs, unsigned others, enum by by)
{
	struct filter f;

	filter_make(&f, calls, n, theirs, others);
	put_on(&f.program, by);
}

/* What the rest of this program needs, and not one more. */
static const int needed[] = { SYS_read, SYS_write, SYS_exit, SYS_exit_group,
	SYS_rt_sigreturn, SYS_mmap, SYS_munmap, SYS_brk, SYS_mremap,
	SYS_madvise, SYS_mprotect, SYS_futex };

/* burn() without a system call: the clock of a thread has no faster way. */
__attribute__((noinline)) static void spin(void)
{
	for (long i = 0; i < 60000000; i++)
		sink += (unsigned long)i;
}

static void work(void)
{
	spin();
	churn(500);
}

static void in_child(void (*child_does)(void), int wanted)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		child_does();
	MUST(child > 0 && waitpid(child, &status, 0) == child);
	if (status != wanted)
		dprintf(2, "status %#x\n", status);
	MUST(status == wanted);
}

/* read, write, exit of the thread and the return of handlers: that is all. */
static void strict_child(void)
{
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	spin();
	for (int i = 0; i < 1000; i++)
		free(malloc((size_t)i)); /* from what there is */
	syscall(SYS_exit, 5);
}

static void strict(void)
{
	hold();
	burn(30);
	free(malloc(100000));
	in_child(strict_child, 5 << 8);
}

static void strict_itself(void)
{
	hold();
	burn(30);
	free(malloc(100000));
	(void)!write(1, "fine\n", 5);
	strict_child();
}

static void killing_child(enum by by)
{
	filter(needed, COUNT(needed), SECCOMP_RET_ALLOW,
		SECCOMP_RET_KILL_PROCESS, by);
	work();
	_exit(5);
}

static void by_prctl(void)
{
	killing_child(BY_PRCTL);
}

static void by_syscall(void)
{
	killing_child(BY_SYSCALL);
}

static void kills(void)
{
	hold();
	burn(30);
	in_child(by_prctl, 5 << 8);
	in_child(by_syscall, 5 << 8);
}

static void kills_itself(void)
{
	hold();
	burn(30);
	printf("fine\n");
	fflush(stdout);
	killing_child(BY_PRCTL);
}

/* A fatal signal is still the end it was. */
static char *volatile nowhere = (char *)16;

static void faulting(void)
{
	filter(needed, COUNT(needed), SECCOMP_RET_ALLOW,
		SECCOMP_RET_KILL_PROCESS, BY_PRCTL);
	work();
	*(volatile char *)nowhere = 1;
}

static void faults(void)
{
	hold();
	burn(30);
	in_child(faulting, SIGSEGV);
}

/* Threads that there are: the filter is theirs, too. */
static atomic_int ready;

static void *working(void *unused)
{
	churn(500);
	atomic_fetch_add(&ready, 1);
	for (;;)
		work();
	return unused;
}

static void all_threads_child(void)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		MUST(pthread_create(&t[i], NULL, working, NULL) == 0);
	while (atomic_load(&ready) < 2)
		sched_yield();
	killing_child(BY_ALL_THREADS);
}

static void all_threads(void)
{
	hold();
	burn(30);
	in_child(all_threads_child, 5 << 8);
}

/* The program's own handler learns of each call that is not allowed. */
static volatile sig_atomic_t traps, last_call;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	traps++;
	last_call = info->si_syscall;
}

static void traps_child(void)
{
	struct sigaction act = { .sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_NODEFER };

	MUST(sigaction(SIGSYS, &act, NULL) == 0);
	filter(needed, COUNT(needed), SECCOMP_RET_ALLOW, SECCOMP_RET_TRAP,
		BY_PRCTL);
	work();
	syscall(SYS_getppid);
	MUST(traps == 1 && last_call == SYS_getppid);
	work();
	MUST(traps == 1);
	_exit(5);
}

static void traps_only_its_own(void)
{
	hold();
	burn(30);
	in_child(traps_child, 5 << 8);
}

/* What only we call. A library is closed, a thread ends and another program is
 * executed all the same. */
static const int ours[] = { SYS_timer_create, SYS_timer_delete, SYS_gettid,
	SYS_rt_tgsigqueueinfo, SYS_getrandom };

static void *churning(void *unused)
{
	churn(500);
	return unused;
}

static void goes_on(void)
{
	pthread_t t;
	void *library;

	hold();
	burn(30);
	filter(ours, COUNT(ours), SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW,
		BY_PRCTL_AS_SYSCALL);
	spin();
	library = dlopen("libz.so.1", RTLD_NOW);
	MUST(library && dlclose(library) == 0);
	MUST(pthread_create(&t, NULL, churning, NULL) == 0);
	MUST(pthread_join(t, NULL) == 0);
	dprintf(1, "fine\n");
	execl("/bin/true", "true", (char *)NULL);
	MUST(!"exec failed");
}

/* Refused, as by container runtimes: whatever we want, the answer is no. */
static const int files[] = { SYS_openat, SYS_open, SYS_openat2, SYS_rename,
	SYS_renameat2, SYS_unlink, SYS_unlinkat, SYS_mkdirat, SYS_clone,
	SYS_clone3, SYS_unshare, SYS_close_range, SYS_ftruncate };

static void refuses_files(void)
{
	hold();
	filter(files, COUNT(files), ANSWER(EPERM), SECCOMP_RET_ALLOW, BY_PRCTL);
	burn(30);
	churn(500);
	dump();
	burn(10);
}

static const int timers[] = { SYS_timer_create, SYS_timer_settime,
	SYS_timer_delete, SYS_timer_getoverrun };

static void refuses_timers(void)
{
	hold();
	filter(timers, COUNT(timers), ANSWER(ENOSYS), SECCOMP_RET_ALLOW,
		BY_PRCTL);
	burn(30);
	churn(500);
	dump();
}

/* Without these no handler comes to its end, nor a helper thread. */
static const int ends[] = { SYS_rt_sigreturn, SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_rt_tgsigqueueinfo, SYS_tgkill, SYS_exit };

static void refuses_ends(void)
{
	hold();
	burn(30);
	filter(ends, COUNT(ends), ANSWER(EPERM), SECCOMP_RET_ALLOW, BY_PRCTL);
	burn(60);
	churn(500);
}

/* No mapping can be made or changed any more: as with overcommit off. */
static const int mappings[] = { SYS_mmap, SYS_madvise, SYS_mremap };

static void refuses_memory(void)
{
	hold();
	filter(mappings, COUNT(mappings), ANSWER(ENOMEM), SECCOMP_RET_ALLOW,
		BY_PRCTL);
	MUST(!malloc(1ul << 40) && errno == ENOMEM);
	churn(500);
	burn(30);
	dump();
}

/* From the first instruction on: also our constructor is refused. */
static void memory_refused_from_the_start(void)
{
	static const int few[] = { SYS_memfd_create, SYS_ftruncate,
		SYS_timer_create, SYS_madvise, SYS_clone3, SYS_unshare,
		SYS_getrandom };

	filter(few, COUNT(few), ANSWER(EPERM), SECCOMP_RET_ALLOW, BY_PRCTL);
	execl("/proc/self/exe", "sandbox", "refused", (char *)NULL);
	MUST(!"exec failed");
}

static void refused(void)
{
	hold();
	burn(30);
	churn(500);
	dump();
}

/* Nothing came of it: the filter is refused, and all goes on. */
static void tried_in_vain(void)
{
	struct sock_filter kill_all = BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct sock_fprog program = { .len = 1, .filter = &kill_all };

	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == -1 &&
		errno == EFAULT);
	MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1ul << 20,
		     &program) == -1 &&
		errno == EINVAL);
	program.len = 0;
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1 &&
		errno == EINVAL);
	hold();
	burn(60);
	dump();
	raise(SIGCHLD);
}

/* syscall() passes on all six arguments: the last is the offset. */
static void must_map_with_offset(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char page[4096];
	void *p = (void *)syscall(SYS_mmap, NULL, sizeof(page), PROT_READ,
		MAP_PRIVATE, fd, 4096L);

	MUST(p != MAP_FAILED);
	MUST(pread(fd, page, sizeof(page), 4096) == sizeof(page));
	MUST(memcmp(p, page, sizeof(page)) == 0);
	MUST(munmap(p, sizeof(page)) == 0 && close(fd) == 0);
}

/* A filter that allows everything there is changes nothing. */
static void allows_everything(void)
{
	hold();
	filter(NULL, 0, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW, BY_SYSCALL);
	must_map_with_offset();
	burn(60);
	churn(500);
	dump();
}

static const struct way ways[] = {
	{ "strict", strict },
	{ "strict_itself", strict_itself },
	{ "kills", kills },
	{ "kills_itself", kills_itself },
	{ "faults", faults },
	{ "all_threads", all_threads },
	{ "traps_only_its_own", traps_only_its_own },
	{ "tried_in_vain", tried_in_vain },
	{ "goes_on", goes_on },
	{ "refuses_files", refuses_files },
	{ "refuses_timers", refuses_timers },
	{ "refuses_ends", refuses_ends },
	{ "refuses_memory", refuses_memory },
	{ "refused_from_the_start", memory_refused_from_the_start },
	{ "refused", refused },
	{ "allows_everything", allows_everything },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
