/*
 * guard.c - see guard.h.
 */
#include "pp.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard.h"
#include "replace.h"
#include "tell.h"

#define ADDRESS_SPACE_MAX (UINT64_C(16) << 30)
#define CPU_MAX_S 600u

void guard_environment(void)
{
	static const char ours[] = "PPROFC_";
	char name[128];

	(void)unsetenv("LD_PRELOAD");
	(void)unsetenv("LD_AUDIT");
	for (char **e = environ; *e;) {
		size_t len = strcspn(*e, "=");

		if (strncmp(*e, ours, sizeof(ours) - 1) == 0 &&
			len < sizeof(name)) {
			memcpy(name, *e, len);
			name[len] = '\0';
			(void)unsetenv(name); /* moves the rest up */
		} else {
			e++;
		}
	}
	/* A parent may have closed them; files we open must not become one. */
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", O_RDWR);
	}
}

static void crashed(int sig)
{
	replace_abandon();
	tell_crash(sig);
	_exit(1);
}

/* Where a stack overflow is handled, too. */
static uint8_t handler_stack[64 * 1024];

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU,
	SIGTERM, SIGINT, SIGHUP };

static void limit(__rlimit_resource_t what, rlim_t max)
{
	struct rlimit r;

	if (getrlimit(what, &r) != 0)
		return;
	r.rlim_cur = PP_MIN(r.rlim_cur, max);
	(void)setrlimit(what, &r);
}

void guard_limits(void)
{
	const struct sigaction act = { .sa_handler = crashed,
		.sa_flags = (int)(SA_RESETHAND | SA_ONSTACK) };
	const stack_t stack = { .ss_sp = handler_stack,
		.ss_size = sizeof(handler_stack) };

	limit(RLIMIT_AS, ADDRESS_SPACE_MAX);
	limit(RLIMIT_CPU, CPU_MAX_S);
	limit(RLIMIT_CORE, 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigaltstack(&stack, NULL);
	for (size_t i = 0; i < PP_ARRAY_LEN(fatal); i++)
		(void)sigaction(fatal[i], &act, NULL);
}

/* When memory is short it is the worker that goes, not the profiled program. */
static void go_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1000", 4);
	(void)close(fd);
}

void guard_worker(pid_t parent, unsigned cpu_s, uint64_t memory)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* it went before that */
	/* Not the handler, which would remove the profile being written. */
	for (size_t i = 0; i < PP_ARRAY_LEN(fatal); i++)
		(void)signal(fatal[i], SIG_DFL);
	limit(RLIMIT_CPU, cpu_s);
	limit(RLIMIT_DATA, memory);
	go_first();
}
