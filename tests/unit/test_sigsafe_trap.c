/*
 * test_sigsafe_trap.c - samples, a session and full reports made inside a
 * signal handler, while malloc, stdio, loader and lock entry points are traps.
 *
 * This program defines the trapped names itself, so that the calls of our code
 * and of the libraries linked statically (zlib, protobuf-c) come here, and
 * those that libc makes to malloc, too. An armed trap ends the process with
 * status TRAPPED and the name on stdout; otherwise the call goes on to libc.
 * Each scenario runs in a child. Planted violations show that the traps work.
 */
#include "pp.h"

#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "all_threads.h"
#include "config.h"
#include "created.h"
#include "fmt.h"
#include "process.h"
#include "report.h"
#include "rows.h"
#include "sample.h"
#include "sys.h"
#include "test.h"
#include "unwind.h"
#include "user_labels.h"
#include "waits.h"

#define TRAPPED 97

/* clang-format off */
#define TRAPS(X) \
	X(malloc) X(calloc) X(realloc) X(free) X(reallocarray) X(memalign) \
	X(posix_memalign) X(aligned_alloc) X(printf) X(fprintf) X(vfprintf) \
	X(snprintf) X(vsnprintf) X(sprintf) X(dprintf) X(fopen) X(fdopen) \
	X(fclose) X(fread) X(fwrite) X(fputs) X(puts) X(fputc) X(fflush) \
	X(fgets) X(getline) X(sscanf) X(perror) X(dlopen) X(dlsym) X(dlclose) \
	X(dladdr) X(dl_iterate_phdr) X(pthread_mutex_lock) \
	X(pthread_mutex_unlock) X(pthread_once) X(pthread_rwlock_rdlock) \
	X(pthread_create) X(pthread_getspecific) X(pthread_setspecific) \
	X(sem_wait) X(getenv) X(secure_getenv) X(setlocale) X(localtime_r) \
	X(strerror) X(strtol) X(strtoul) X(qsort) X(exit) X(open) X(openat) \
	X(read) X(pread) X(write) X(close) X(mmap) X(munmap) X(mprotect) \
	X(opendir) X(readdir) X(sigaction) X(sigprocmask) X(syscall) \
	X(__errno_location)
/* clang-format on */

static volatile int trap_armed __attribute__((used));

/* Called by a stub, nothing is kept: leave. */
__attribute__((used, noreturn)) static void trap_hit(const char *name)
{
	char text[64];

	(void)sys_write(1, text, fmt(text, sizeof(text), "trapped %s", name));
	(void)sys_call1(SYS_exit_group, TRAPPED);
	__builtin_unreachable();
}

/* A stub needs no prototype of what it stands for. */
#define STUB(name)                                                            \
	static void *real_##name __attribute__((used));                       \
	__asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name \
		":\n"                                                         \
		"	cmpl $0, trap_armed(%rip)\n"                                \
		"	jne 1f\n"                                                   \
		"	jmp *real_" #name "(%rip)\n"                          \
		"1:	leaq 2f(%rip), %rdi\n"                                    \
		"	andq $-16, %rsp\n"                                          \
		"	call trap_hit\n"                                            \
		"2:	.asciz \"" #name "\"\n"                               \
		".size " #name ", .-" #name "\n");
TRAPS(STUB)

/* libc calls these before any constructor of ours: from its own names. */
extern char __libc_malloc[], __libc_calloc[], __libc_realloc[], __libc_free[];

__attribute__((constructor)) static void find_real(void)
{
	real_malloc = __libc_malloc;
	real_calloc = __libc_calloc;
	real_realloc = __libc_realloc;
	real_free = __libc_free;
	real_dlsym = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name);
	TRAPS(FIND)
#undef FIND
}

static char directory[64];

static void configure(void)
{
	static const char *const variables[][2] = {
		{ "PPROFC_PROFILES",
			"cpu,heap,allocs,heap_peak,mutex,block,goroutine,"
			"threadcreate" },
		{ "PPROFC_HEAP_RATE", "1" },
		{ "PPROFC_BLOCK_RATE", "1" },
		{ "PPROFC_BLOCK", "all" },
	};

	(void)setenv("PPROFC_OUTPUT", directory, 1);
	for (size_t i = 0; i < PP_ARRAY_LEN(variables); i++)
		(void)setenv(variables[i][0], variables[i][1], 1);
	config_read(&process.settings, NULL, NULL);
	process.cpu_period_ns = 10000000;
	process.enabled = process.settings.profiles;
	unwind_start();
	process_start();
}

/* A wait for a lock, a release that ends one, and one that does not matter. */
static void take_waits(void)
{
	static int lock;
	struct release r;
	struct wait w;

	for (unsigned i = 0; i < 100; i++) {
		wait_begin(&w, WAIT_MUTEX, &lock);
		if (release_begin(&r, &lock))
			release_end(&r);
		wait_end(&w, true);
		wait_begin(&w, WAIT_POLL, NULL);
		wait_end(&w, true);
	}
}

/* Some stacks, some objects freed, some live. */
static void take_samples(const ucontext_t *uc)
{
	struct arch_regs regs;

	for (unsigned i = 0; i < 100; i++)
		sample_cpu(uc, i % 3, i % 2);
	arch_regs_here(&regs);
	for (uintptr_t i = 1; i <= 3000; i++)
		sample_alloc((void *)(i * 64), i, ROW_ONE, &regs, 0);
	for (uintptr_t i = 1; i <= 3000; i += 2)
		sample_free((void *)(i * 64));
	(void)user_labels_set("label", "value");
	take_waits();
	created_main(process_session());
	created_thread(&regs);
}

static int write_reports(void)
{
	int failed = 0;

	for (int kind = 0; kind < PROFILE_KINDS; kind++) {
		struct report_request request = {
			.kind = (enum profile_kind)kind,
			.occasion = REPORT_SIGNAL,
			.own_process = true,
		};

		if (kind == PROFILE_GOROUTINE)
			request.threads = all_threads_take(process_session());
		failed += report_write(process_session(), &request, NULL, 0) !=
			  0;
	}
	return failed;
}

/* The first sample, the session, everything happens in here. */
static void whole_life(int sig, siginfo_t *info, void *uc)
{
	int failed;

	(void)sig;
	(void)info;
	trap_armed = 1;
	take_samples(uc);
	failed = write_reports();
	trap_armed = 0;
	if (failed)
		_exit(1);
}

static void plant_malloc(int sig, siginfo_t *info, void *uc)
{
	void *volatile p; /* or the compiler removes the pair */

	(void)sig;
	(void)info;
	(void)uc;
	trap_armed = 1;
	p = malloc(100);
	free(p);
	trap_armed = 0;
}

static void plant_stdio(int sig, siginfo_t *info, void *uc)
{
	(void)info;
	(void)uc;
	trap_armed = 1;
	(void)fprintf(stderr, "signal %d\n", sig);
	trap_armed = 0;
}

static void plant_loader(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	trap_armed = 1;
	(void)dlsym(RTLD_DEFAULT, "nothing");
	trap_armed = 0;
}

/* libc's own malloc, behind a function that is not trapped itself. */
static void plant_strdup(int sig, siginfo_t *info, void *uc)
{
	void *volatile p;

	(void)sig;
	(void)info;
	(void)uc;
	trap_armed = 1;
	p = strdup("x");
	free(p);
	trap_armed = 0;
}

typedef void handler_fn(int sig, siginfo_t *info, void *uc);

/* The status of a child that runs `handler` in a signal; `out` gets what it
 * wrote to stdout. */
static int child_status(
	handler_fn *handler, bool with_us, char *out, size_t size)
{
	int fds[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe(fds) != 0)
		return -1;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct sigaction act = { .sa_flags = SA_SIGINFO };

		(void)dup2(fds[1], 1);
		if (with_us)
			configure();
		act.sa_sigaction = handler;
		(void)sigfillset(&act.sa_mask);
		(void)sigaction(SIGUSR1, &act, NULL);
		(void)alarm(60);
		(void)raise(SIGUSR1);
		_exit(0);
	}
	(void)close(fds[1]);
	n = read(fds[0], out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	return status;
}

/* Files of finished profiles; all files are removed. */
static int take_files(void)
{
	DIR *d = opendir(directory);
	struct dirent *e;
	int found = 0;

	while (d && (e = readdir(d))) {
		char path[PATH_MAX];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(
			path, sizeof(path), "%s/%s", directory, e->d_name);
		found += strstr(e->d_name, ".pb.gz") != NULL;
		(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
	return found;
}

TEST(sigsafe_reports_in_a_handler_hit_no_trap)
{
	char text[64];
	int status = child_status(whole_life, true, text, sizeof(text));

	printf("# status %#x %s\n", (unsigned)status, text);
	CHECK_EQ(status, 0);
	CHECK_EQ(take_files(), PROFILE_KINDS);
}

#define PLANTED(what, name)                                                 \
	TEST(sigsafe_trap_finds_##what)                                     \
	{                                                                   \
		char text[64];                                              \
		int status = child_status(                                  \
			plant_##what, false, text, sizeof(text));           \
                                                                            \
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == TRAPPED); \
		printf("# %s\n", text);                                     \
		CHECK(strcmp(text, "trapped " name) == 0);                  \
	}
PLANTED(malloc, "malloc")
PLANTED(stdio, "fprintf")
PLANTED(loader, "dlsym")
PLANTED(strdup, "malloc")

int main(void)
{
	(void)snprintf(directory, sizeof(directory), "/tmp/pprofc-trap.XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	RUN(sigsafe_trap_finds_malloc);
	RUN(sigsafe_trap_finds_stdio);
	RUN(sigsafe_trap_finds_loader);
	RUN(sigsafe_trap_finds_strdup);
	RUN(sigsafe_reports_in_a_handler_hit_no_trap);
	(void)rmdir(directory);
	return test_done();
}
